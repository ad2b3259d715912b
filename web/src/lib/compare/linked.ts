// Cards that scroll together, each by its own length (contract 2.12).

export class Linked {
  #bodies = new Set<HTMLElement>();
  #moved = new WeakMap<HTMLElement, number>(); // where a card was put; its own scroll event is not a person's

  join(body: HTMLElement): () => void {
    this.#bodies.add(body);
    return () => this.#bodies.delete(body);
  }

  /** Cards that are put elsewhere on the page begin at their tops again: gives what puts them back. */
  kept(): () => void {
    const tops = [...this.#bodies].map((body) => [body, body.scrollTop] as const);
    return () => {
      for (const [body, top] of tops) {
        if (body.scrollTop === top) continue;
        this.#moved.set(body, top);
        body.scrollTop = top;
      }
    };
  }

  /** A card was scrolled: the others follow. */
  follow(body: HTMLElement): void {
    const put = this.#moved.get(body);
    this.#moved.delete(body);
    if (put !== undefined && Math.abs(put - body.scrollTop) < 2) return;
    const length = body.scrollHeight - body.clientHeight;
    if (length <= 0) return;
    for (const other of this.#bodies) {
      if (other === body) continue;
      const top = Math.round((body.scrollTop / length) * (other.scrollHeight - other.clientHeight));
      if (Math.abs(top - other.scrollTop) < 2) continue;
      this.#moved.set(other, top);
      other.scrollTop = top;
    }
  }
}
