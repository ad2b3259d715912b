// What is half written at the end of a growing text, shown as what it will most likely be (R3).

const UNDECIDED = /(^|\n)[ \t]*(?:[-=*+#>|~`]{1,3}|\d{1,9}[.)]?)[ \t]*$/;
const HALF_LINK = /!?\[([^\][\n]*)(?:\](?:\([^()\s]*)?)?$/;
const FENCE = /^[ \t>]*(`{3,}|~{3,})/gm;

/** `text` is the last block of an answer that goes on. */
export function mended(text: string): string {
  if (inFence(text)) return text;
  // A lone marker may yet become a list, a heading's underline or a fence: wait for the next character.
  const decided = text.replace(UNDECIDED, '$1');
  const start = decided.lastIndexOf('\n\n') + 1;
  return decided.slice(0, start) + closed(decided.slice(start).replace(HALF_LINK, '$1'));
}

function inFence(text: string): boolean {
  let open = '';
  for (const [, mark] of text.matchAll(FENCE)) {
    if (!open) open = mark!;
    else if (mark![0] === open[0] && mark!.length >= open.length) open = '';
  }
  return open !== '';
}

/** Closes code and emphasis that is open at the end, innermost first. */
function closed(text: string): string {
  const ticks = text.split('`').length - 1;
  if (ticks % 2) return /`\s*$/.test(text) ? text.replace(/`\s*$/, '') : `${text}\``;
  const open: string[] = [];
  for (const [mark] of text.replace(/`[^`]*`/g, '').matchAll(/\*{1,2}(?=[^\s*])|(?<=\S)\*{1,2}|~~/g)) {
    if (open.at(-1) === mark) open.pop();
    else open.push(mark);
  }
  if (!open.length) return text;
  const bare = text.replace(/(?:\*{1,2}|~~)$/, '');
  if (bare !== text) return closed(bare);
  return text.trimEnd() + open.reverse().join('');
}
