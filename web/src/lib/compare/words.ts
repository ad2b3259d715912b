// What is the same in two answers and what is not, word by word. Pure.

export interface Part {
  kind: 'same' | 'left' | 'right';
  text: string;
}

const MOST_CELLS = 1 << 24; // of the table of lengths: 32 MB

/** The parts of both texts in order; `left` stands in the first only, `right` in the second only. */
export function compare(left: string, right: string): Part[] {
  const cuts = [words, lines, (text: string) => [text]]; // the finest for which the table is not too large
  const pieces = cuts.map((cut) => [cut(left), cut(right)] as const);
  const [one, other] = pieces.find(([one, other]) => one.length * other.length <= MOST_CELLS)!;
  return joined(longestCommon(one, other));
}

/** Words and signs, each with the space after it. */
const words = (text: string): string[] => text.match(/^\s+|[\p{L}\p{N}_]+\s*|[^\s\p{L}\p{N}_]\s*/gu) ?? [];

const lines = (text: string): string[] => text.split(/(?<=\n)/);

/** How alike they are: the share of letters that both have, 0 to 1. */
export function likeness(parts: readonly Part[]): number {
  const size = (kind: Part['kind']): number =>
    parts.reduce((sum, part) => sum + (part.kind === kind ? part.text.length : 0), 0);
  const both = 2 * size('same');
  const all = both + size('left') + size('right');
  return all ? both / all : 1;
}

/** Words are compared, not the space after them. */
function alike(one: string | undefined, other: string | undefined): boolean {
  return one === other || one?.trimEnd() === other?.trimEnd();
}

/** The longest common subsequence by dynamic programming, walked from the front. */
function longestCommon(one: readonly string[], other: readonly string[]): Part[] {
  let start = 0;
  while (start < one.length && start < other.length && alike(one[start], other[start])) start++;
  let end = 0;
  while (end < Math.min(one.length, other.length) - start && alike(one.at(-1 - end), other.at(-1 - end)))
    end++;
  const [rows, columns] = [one.length - start - end, other.length - start - end];
  const width = columns + 1;
  const lengths = new Uint16Array((rows + 1) * width); // from here to the end
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      lengths[row * width + column] = alike(one[start + row], other[start + column])
        ? lengths[(row + 1) * width + column + 1]! + 1
        : Math.max(lengths[(row + 1) * width + column]!, lengths[row * width + column + 1]!);
    }
  }
  const parts: Part[] = one.slice(0, start).map((text) => ({ kind: 'same', text }));
  let [row, column] = [0, 0];
  while (row < rows || column < columns) {
    const [mine, theirs] = [one[start + row]!, other[start + column]!];
    const below = row < rows ? lengths[(row + 1) * width + column]! : -1;
    const beside = column < columns ? lengths[row * width + column + 1]! : -1;
    if (row < rows && column < columns && alike(mine, theirs)) {
      parts.push({ kind: 'same', text: mine });
      row++;
      column++;
    } else if (below >= beside) {
      parts.push({ kind: 'left', text: mine });
      row++;
    } else {
      parts.push({ kind: 'right', text: theirs });
      column++;
    }
  }
  return [...parts, ...one.slice(one.length - end).map((text): Part => ({ kind: 'same', text }))];
}

/** Neighbours of one kind as one part. */
function joined(parts: readonly Part[]): Part[] {
  const found: Part[] = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (last?.kind === part.kind) last.text += part.text;
    else found.push({ ...part });
  }
  return found;
}
