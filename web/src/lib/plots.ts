// The server's plots as pictures: which there are, their data, and as PNG.

export const PLOTS = {
  ratings: 'Ratings',
  winrate: 'Win rates',
  games: 'Games',
  history: 'History',
  speed: 'Speed',
  length: 'Length',
  position: 'Sides',
  category: 'Categories',
} as const;

export type PlotName = keyof typeof PLOTS;

/** What a plot shows, in words and numbers. */
export interface PlotData {
  title: string;
  description: string;
  columns: string[];
  rows: (string | number | null)[][];
}

/** Twice as fine as it is drawn. Throws where the browser cannot paint it. */
export async function png(image: HTMLImageElement, background: string): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth * 2;
  canvas.height = image.naturalHeight * 2;
  const pen = canvas.getContext('2d')!;
  pen.fillStyle = background;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (made) => (made ? resolve(made) : reject(new Error('No picture could be made'))),
      'image/png',
    ),
  );
}
