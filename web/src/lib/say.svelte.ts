// The page's one polite live region (Y3): news for people who do not see it, at most one every two seconds.

const PAUSE_MS = 2000;

class Speaker {
  text = $state('');
  #queue: string[] = [];
  #timer = 0;

  say(text: string): void {
    this.#queue.push(text);
    if (!this.#timer) this.#next();
  }

  #next(): void {
    const texts = this.#queue.splice(0);
    this.#timer = 0;
    if (!texts.length) return;
    this.text = texts.join(' ');
    this.#timer = setTimeout(() => this.#next(), PAUSE_MS);
  }
}

const speaker = new Speaker();
export const say = (text: string): void => speaker.say(text);
export { speaker };
