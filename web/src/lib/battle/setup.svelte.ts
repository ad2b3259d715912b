// How a person begins battles: remembered from one to the next, and from visit to visit.

import { Kept } from '../kept.svelte';
import { Roster } from '../roster.svelte';
import { upstream } from '../upstream.svelte';
import type { AskedInstance } from '../wire';

export const STRATEGIES = {
  uniform: 'Any of them, equally often',
  least_played: 'Who has met least often',
  informative: 'Who tells most about the ranking',
} as const;

/** What `POST /api/arena/battles` takes. */
export interface Asked {
  prompt: string;
  slots: number;
  paced: boolean;
  strategy: keyof typeof STRATEGIES;
  model_instances?: readonly AskedInstance[];
}

const MOST_PLAYERS = 24;

class Setup {
  readonly draft = new Kept('battle.draft', '');
  readonly roster = new Roster('battle.roster', MOST_PLAYERS);
  readonly strategy = new Kept<keyof typeof STRATEGIES>('battle.strategy', 'uniform');
  /** Text comes at the pace of the slowest, so that speed cannot vote (V7). */
  readonly paced = new Kept('battle.paced', true);
  #all = new Kept('battle.all', true);
  #slots = new Kept('battle.slots', 2);

  /** Everyone who is installed may play; one model alone can only meet itself, with other settings. */
  get all(): boolean {
    return this.#all.value && upstream.talkers.length !== 1;
  }

  set all(value: boolean) {
    this.#all.value = value;
  }

  get players(): number {
    return this.all ? upstream.talkers.length : this.roster.instances.length;
  }

  /** How many there may be in one battle. */
  get choices(): number[] {
    const most = Math.min(upstream.config?.limits.columns ?? 2, Math.max(2, this.players));
    return Array.from({ length: most - 1 }, (_, index) => index + 2);
  }

  get slots(): number {
    return Math.min(this.#slots.value, this.choices.at(-1) ?? 2);
  }

  set slots(value: number) {
    this.#slots.value = value;
  }

  get ready(): boolean {
    return Boolean(this.draft.value.trim()) && this.players >= 2;
  }

  get asked(): Asked {
    return {
      prompt: this.draft.value.trim(),
      slots: this.slots,
      paced: this.paced.value,
      strategy: this.strategy.value,
      ...(this.all ? {} : { model_instances: this.roster.instances }),
    };
  }
}

export const setup = new Setup();
