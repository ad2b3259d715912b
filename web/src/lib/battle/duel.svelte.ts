// The battle on the page: what the server says of it, followed while its answers come, and what a person does with it.

import { ApiError, call, get, send, stream, told } from '../api';
import { say } from '../say.svelte';
import type { Battle, BattleLine, Opinion, Voted } from '../wire';
import { decision, winner } from './words';
import type { Asked } from './setup.svelte';

const RETRY_MS = 1000;

export type Choice = { choice: string } | { ranking: string[][] };

class Duel {
  battle = $state<Battle | null>(null);
  /** What the vote of this visit did to the ratings. */
  ratings = $state.raw<Voted['ratings']>({});
  /** Why the battle cannot be shown, or an action failed; empty when all is well. */
  problem = $state('');
  /** What became of it in another window meanwhile. */
  news = $state('');
  busy = $state(false);
  /** Why: goes with the vote. */
  tags = $state<string[]>([]);
  note = $state('');
  #watching = new AbortController();

  get id(): string {
    return this.battle?.id ?? '';
  }

  /** Answers are on their way, after the vote, too; or all are here and the server is about to keep them. */
  get running(): boolean {
    const last = this.battle?.turns.at(-1);
    return (
      this.battle?.state === 'streaming' ||
      Object.values(last?.answers ?? {}).some(({ state }) => state === 'waiting' || state === 'streaming')
    );
  }

  /** Begins one and gives its id. Raises `ApiError`. */
  async start(asked: Asked): Promise<string> {
    const { id } = await send<Pick<Battle, 'id'>>('POST', '/api/arena/battles', asked);
    await this.open(id);
    return id;
  }

  async open(id: string): Promise<void> {
    this.clear();
    try {
      await this.#read(id);
    } catch (error) {
      this.problem = told(error);
      return;
    }
    void this.#follow(id);
  }

  clear(): void {
    this.#watching.abort();
    this.#watching = new AbortController();
    this.battle = null;
    this.ratings = {};
    this.problem = '';
    this.news = '';
    this.tags = [];
    this.note = '';
  }

  async vote(choice: Choice): Promise<void> {
    await this.#act(async (path) => {
      const opinion: Opinion = { tags: this.tags, note: this.note.trim() };
      const voted = await send<Voted>('POST', `${path}/vote`, { ...choice, ...opinion });
      this.ratings = voted.ratings;
      say(`Voted: ${decision(voted.verdict)}. ${winner(voted)}`);
    });
  }

  async skip(): Promise<void> {
    await this.#act((path) => send('POST', `${path}/skip`));
  }

  async reveal(): Promise<void> {
    await this.#act((path) => send('POST', `${path}/reveal`));
  }

  async undo(): Promise<void> {
    await this.#act((path) => send('POST', `${path}/undo`));
    if (this.battle?.state === 'void') this.ratings = {};
  }

  /** Whether it was taken. */
  async ask(prompt: string): Promise<boolean> {
    const taken = await this.#act((path) => send('POST', `${path}/turns`, { prompt }));
    if (taken) void this.#follow(this.id);
    return taken;
  }

  /** What the server does with it is read back; a conflict means that another window was faster (V3). */
  async #act(action: (path: string) => Promise<unknown>): Promise<boolean> {
    const { id } = this;
    if (!id || this.busy) return false;
    this.busy = true;
    this.problem = '';
    this.news = '';
    let done = false;
    try {
      await action(path(id));
      done = true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) this.news = error.message;
      else this.problem = told(error);
    }
    try {
      if (id === this.id) await this.#read(id);
    } catch (error) {
      this.problem ||= told(error);
    } finally {
      this.busy = false;
    }
    if (this.news) void this.#follow(id);
    return done;
  }

  async #read(id: string): Promise<void> {
    const { signal } = this.#watching;
    const battle = await get<Battle>(path(id), signal);
    if (!signal.aborted) this.battle = battle;
  }

  /** Hears the last turn until it is over; a broken line is taken up again. */
  async #follow(id: string): Promise<void> {
    const { signal } = this.#watching;
    while (this.running && !signal.aborted) {
      try {
        const response = await call('GET', `${path(id)}/events`, undefined, signal);
        this.#rewind();
        for await (const line of stream<BattleLine>(response)) this.#hear(line);
        await this.#read(id);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status) {
          this.problem = told(error);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** The events begin with all that may be shown so far. */
  #rewind(): void {
    for (const answer of Object.values(this.battle?.turns.at(-1)?.answers ?? {})) answer.text = '';
  }

  #hear(line: BattleLine): void {
    if (line.event === 'state') return;
    const answer = this.battle?.turns.at(-1)?.answers[line.slot];
    if (!answer) return;
    if (line.event === 'token') {
      answer.state = 'streaming';
      answer.text += line.token;
    } else {
      answer.state = line.event;
      if (line.event === 'failed') answer.error = line.error;
      say(line.event === 'done' ? `${line.slot} finished.` : `${line.slot} failed.`);
    }
  }
}

const path = (id: string): string => `/api/arena/battles/${encodeURIComponent(id)}`;

export const duel = new Duel();
