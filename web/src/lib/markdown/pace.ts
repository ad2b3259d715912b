// When to paint a text that grows (R1): within an animation frame, at most 20 times a second, and never more than a
// tenth of the time, however long the text is.

const PAUSE_MS = 50;
const SHARE = 10;

export class Pace {
  #timer = 0;
  #frame = 0;
  #next = 0;

  /** Paints soon. Calls until then are one. */
  ask(paint: () => void): void {
    if (this.#timer) return;
    this.#timer = setTimeout(
      () => {
        this.#frame = requestAnimationFrame(() => {
          this.#timer = 0;
          const start = performance.now();
          paint();
          const end = performance.now();
          this.#next = end + Math.max(PAUSE_MS, SHARE * (end - start));
        });
      },
      Math.max(0, this.#next - performance.now()),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#timer = 0;
  }
}
