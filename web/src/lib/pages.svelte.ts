// A list that comes in pages, the newest first: sessions, battles.

import { told } from './api';

const PAGE = 50;

export class Pages<Item> {
  items = $state<Item[]>([]);
  more = $state(false);
  loaded = $state(false);
  problem = $state('');
  #asked = 0;

  /** `ask` gets a page's length, and the cursor of the last item so far, empty at first. */
  constructor(
    private readonly ask: (limit: number, before: string) => Promise<Item[]>,
    private readonly cursor: (item: Item) => string,
  ) {}

  async first(): Promise<void> {
    await this.#load('', []);
  }

  async next(): Promise<void> {
    const last = this.items.at(-1);
    if (last) await this.#load(this.cursor(last), this.items);
  }

  /** A slow answer to an earlier question is dropped. */
  async #load(before: string, earlier: Item[]): Promise<void> {
    const asked = ++this.#asked;
    try {
      const found = await this.ask(PAGE, before);
      if (asked !== this.#asked) return;
      this.items = [...earlier, ...found];
      this.more = found.length === PAGE;
      this.problem = '';
    } catch (error) {
      if (asked === this.#asked) this.problem = told(error);
    }
    this.loaded = true;
  }
}
