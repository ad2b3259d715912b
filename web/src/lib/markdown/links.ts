// Where a model's links may lead (R7): absolute addresses of the web and of mail, nothing else.

const SCHEMES = new Set(['http:', 'https:', 'mailto:']);
const DATA_PICTURE = /^data:image\/(?:png|jpeg|webp|gif);base64,/;

export function allowedLink(address: string): boolean {
  const url = read(address);
  return url !== null && SCHEMES.has(url.protocol) && !url.username && !url.password;
}

export const isDataPicture = (address: string): boolean => DATA_PICTURE.test(address);

/** The host to show beside a link, in the form the browser will ask for; of a mail address the part after the @. */
export function hostOf(address: string): string {
  const url = read(address);
  if (!url) return '';
  return url.protocol === 'mailto:' ? (url.pathname.split('@')[1] ?? '') : url.host;
}

const read = (address: string): URL | null => (URL.canParse(address) ? new URL(address) : null);
