// How fast an answer comes while it comes: pieces of text by second (contract 2.9). Pieces are not quite tokens.

const SECOND_MS = 1000;

export class Pulse {
  /** Pieces in each second since the first; the last second is not over yet. */
  readonly counts: number[] = [];
  #first: number | null = null;

  /** A piece came; whether it began a new second. */
  beat(t_ms: number): boolean {
    this.#first ??= t_ms;
    const second = Math.max(this.counts.length - 1, Math.floor((t_ms - this.#first) / SECOND_MS), 0);
    const before = this.counts.length;
    while (this.counts.length <= second) this.counts.push(0);
    this.counts[second]!++;
    return this.counts.length > before;
  }
}
