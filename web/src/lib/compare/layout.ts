// How many columns a row of answers has (contract 2.12). Pure.

const GAP = 16;
const COLUMN = 360; // with the gap 376: the width that fills a column well
const LEAST = 290; // two columns may be as narrow as this

/** The most columns by number of answers: from 1600, 1200 and 900 px. */
const TABLE: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [2, 2, 2],
  [3, 3, 2],
  [4, 2, 2],
  [3, 3, 2],
  [3, 3, 2],
];

export interface Layout {
  columns: number;
  /** One answer at a time, the others behind tabs. */
  tabs: boolean;
}

/** `width` is that of the row, `page` that of the window, in CSS pixels. */
export function layout(answers: number, width: number, page: number): Layout {
  if (answers <= 1) return { columns: 1, tabs: false };
  if (page < 900) {
    const two = answers === 2 && page >= 600 && (width - GAP) / 2 >= LEAST;
    return two ? { columns: 2, tabs: false } : { columns: 1, tabs: true };
  }
  const caps = TABLE[Math.min(answers, TABLE.length) - 1]!;
  const cap = page >= 1600 ? caps[0] : page >= 1200 ? caps[1] : caps[2];
  const fill = Math.max(1, Math.floor((width + GAP) / (COLUMN + GAP)));
  return { columns: Math.min(cap, fill), tabs: false };
}
