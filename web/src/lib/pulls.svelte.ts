// Downloads of models: started, followed every second while one runs, cancelled (P1, P2, contract 2.2).

import { get, send, told } from './api';
import { say } from './say.svelte';
import { upstream } from './upstream.svelte';
import type { Pull } from './wire';

const EVERY_MS = 1000;
const FIRST_MS = 250; // the answer to a start may take 2 s (P1): meanwhile there is something to see

const same = (one: Pull, other: Pull): boolean =>
  one.model === other.model && one.endpoint === other.endpoint;

export class Pulls {
  list = $state.raw<Pull[]>([]);
  problem = $state('');
  #timer = 0;
  #left = false;
  #looked = false;

  /** Until the result is called. Downloads go on without anyone who looks. */
  watch(): () => void {
    this.#left = false;
    void this.#look();
    return () => {
      this.#left = true;
      clearTimeout(this.#timer);
    };
  }

  async start(model: string, endpoint: string): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), FIRST_MS);
    await this.#do('/api/pull_model', { model, endpoint });
  }

  async cancel({ model, endpoint }: Pull): Promise<void> {
    await this.#do('/api/arena/pulls/cancel', { model, endpoint });
  }

  async #do(path: string, body: object): Promise<void> {
    let problem = '';
    try {
      await send('POST', path, body);
    } catch (error) {
      problem = told(error);
    }
    await this.#look();
    this.problem ||= problem;
  }

  async #look(): Promise<void> {
    try {
      this.#see((await get<{ pulls: Pull[] }>('/api/arena/pulls')).pulls);
      this.problem = '';
    } catch (error) {
      this.problem = told(error);
    }
    clearTimeout(this.#timer); // one way of following, whoever looked
    if (!this.#left && this.list.some((pull) => pull.status === 'downloading')) {
      this.#timer = setTimeout(() => void this.#look(), EVERY_MS);
    }
  }

  /** What ended since the last look is told; at the first look it is old news. */
  #see(now: Pull[]): void {
    const before = this.list;
    const ended = now.filter(
      (pull) =>
        pull.status !== 'downloading' && !before.some((one) => same(one, pull) && one.status === pull.status),
    );
    this.list = now;
    if (!this.#looked) {
      this.#looked = true;
      return;
    }
    for (const pull of ended) say(`Download of ${pull.model}: ${pull.status}.`);
    if (ended.some((pull) => pull.status === 'done')) void upstream.refresh();
  }
}
