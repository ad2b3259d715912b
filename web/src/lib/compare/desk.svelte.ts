// How a person has arranged the Compare page: the roster, and what the page shows and sends.

import { Kept } from '../kept.svelte';
import { Roster } from '../roster.svelte';
import type { AnswerId } from '../wire';

export type Schedule = 'parallel' | 'sequential';

class Desk {
  readonly roster = new Roster('compare.roster');
  readonly draft = new Kept('compare.draft', '');
  /** The system prompt of the next new session. */
  readonly system = new Kept('compare.system', '');
  readonly schedule = new Kept<Schedule>('compare.schedule', 'parallel');
  /** The next question begins a blind battle. */
  readonly blind = new Kept('compare.blind', false);
  /** Answers are shown when they are complete (Y3). */
  readonly whenDone = new Kept('compare.when-done', false);
  /** Cards of a row scroll together. */
  readonly linked = new Kept('compare.linked', false);
  /** Enter sends; otherwise Ctrl+Enter alone does (Y1). */
  readonly enterSends = new Kept('compare.enter-sends', true);
  /** The one instance that is shown; empty for all of them. */
  focused = $state('');
  #only = $state('');
  #follows = $state.raw<AnswerId | null>(null);

  /** The one instance that is asked next; empty for all of them. */
  get only(): string {
    return this.#only;
  }

  set only(id: string) {
    this.#only = id;
    if (id) this.#follows = null;
  }

  /** The answer that all go on from when they are asked next; null where each goes on from its own. */
  get follows(): AnswerId | null {
    return this.#follows;
  }

  set follows(answer: AnswerId | null) {
    this.#follows = answer;
    if (answer) this.#only = '';
  }

  forget(): void {
    this.focused = '';
    this.only = '';
    this.follows = null;
  }
}

export const desk = new Desk();
