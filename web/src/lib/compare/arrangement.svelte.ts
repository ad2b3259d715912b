// Where the columns of the comparison stand: moved, pinned to the front, hidden. Their letters stay with them.

import { Kept } from '../kept.svelte';
import { say } from '../say.svelte';
import type { Instance } from '../wire';
import type { LiveAnswer } from './answer.svelte';
import { conversation, type LiveTurn } from './conversation.svelte';

/** Instances by their ids. One comparison is remembered: that which was arranged last. */
interface Arranged {
  session: string;
  order: readonly string[];
  pinned: readonly string[];
  hidden: readonly string[];
}

const AS_ASKED: Omit<Arranged, 'session'> = { order: [], pinned: [], hidden: [] };

class Arrangement {
  #kept = new Kept<Arranged>('compare.arrangement', { session: '', ...AS_ASKED });

  /** All of them from the left: those that are pinned first, those that are new last. */
  readonly #columns: readonly Instance[] = $derived.by(() => {
    const { order, pinned } = this.#now;
    const place = (id: string): number => (order.includes(id) ? order.indexOf(id) : order.length);
    return [...conversation.columns].sort(
      ({ id: one }, { id: other }) =>
        Number(pinned.includes(other)) - Number(pinned.includes(one)) || place(one) - place(other),
    );
  });
  readonly shown = $derived(this.#columns.filter(({ id }) => !this.#now.hidden.includes(id)));
  readonly hidden = $derived(this.#columns.filter(({ id }) => this.#now.hidden.includes(id)));

  /** The answers of a turn that are in sight, from the left. */
  shownOf(turn: LiveTurn): readonly LiveAnswer[] {
    return this.shown.flatMap(({ id }) => turn.answers.filter((answer) => answer.instance.id === id));
  }

  get #now(): Arranged {
    const kept = this.#kept.value;
    return kept.session === conversation.id ? kept : { session: conversation.id, ...AS_ASKED };
  }

  isPinned(id: string): boolean {
    return this.#now.pinned.includes(id);
  }

  /** Negative where `id` stands further left than `other`. */
  distance(id: string, other: string): number {
    const place = (sought: string): number => this.#columns.findIndex((column) => column.id === sought);
    return place(id) - place(other);
  }

  /** Pinned columns stand among themselves, and so do the others. */
  canPut(id: string, other: string): boolean {
    return id !== other && this.isPinned(id) === this.isPinned(other);
  }

  canMove(id: string, by: -1 | 1): boolean {
    const beside = this.#beside(id, by);
    return beside !== undefined && this.canPut(id, beside.id);
  }

  /** One place to the left (-1) or to the right (1). */
  move(id: string, by: -1 | 1): void {
    const beside = this.#beside(id, by);
    if (beside) this.put(id, beside.id);
  }

  /** In the place of another, which goes aside. */
  put(id: string, other: string): void {
    if (!this.canPut(id, other)) return;
    const order = this.#columns.map((column) => column.id);
    const to = order.indexOf(other);
    order.splice(order.indexOf(id), 1);
    order.splice(to, 0, id);
    this.#change({ order });
    const place = this.shown.findIndex((column) => column.id === id) + 1;
    say(`${name(id)} is now number ${place} of ${this.shown.length}.`);
  }

  pin(id: string, pinned: boolean): void {
    const others = this.#now.pinned.filter((other) => other !== id);
    this.#change({ pinned: pinned ? [...others, id] : others });
    say(pinned ? `${name(id)} stays in front.` : `${name(id)} is not pinned any more.`);
  }

  /** The last one stays. */
  get canHide(): boolean {
    return this.shown.length > 1;
  }

  hide(id: string): void {
    if (!this.canHide) return;
    this.#change({ hidden: [...this.#now.hidden, id] });
    say(`${name(id)} is hidden. It is still asked.`);
  }

  show(id: string): void {
    this.#change({ hidden: this.#now.hidden.filter((other) => other !== id) });
  }

  showAll(): void {
    this.#change({ hidden: [] });
  }

  #beside(id: string, by: -1 | 1): Instance | undefined {
    return this.shown[this.shown.findIndex((column) => column.id === id) + by];
  }

  #change(change: Partial<Arranged>): void {
    this.#kept.value = { ...this.#now, ...change };
  }
}

const name = (id: string): string => conversation.letter(id, []);

export const arrangement = new Arrangement();
