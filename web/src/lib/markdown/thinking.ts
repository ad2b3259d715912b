// A leading <think> … </think> of models whose runtime does not part thinking from answer (R5).

export interface Parted {
  thinking: string;
  answer: string;
  /** The thinking goes on. */
  open: boolean;
}

const OPEN = '<think>';
const CLOSE = '</think>';

export function parted(text: string): Parted {
  const start = text.trimStart();
  if (!start.startsWith(OPEN)) return { thinking: '', answer: text, open: false };
  const end = start.indexOf(CLOSE);
  if (end < 0) return { thinking: start.slice(OPEN.length).trim(), answer: '', open: true };
  return {
    thinking: start.slice(OPEN.length, end).trim(),
    answer: start.slice(end + CLOSE.length).trimStart(),
    open: false,
  };
}
