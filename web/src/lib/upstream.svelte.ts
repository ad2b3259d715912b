// What the upstreams have and whether they answer: asked once, again on demand, and after 5, 10, 30 s while one is down.

import { get, told } from './api';
import type { Config, Models, Model } from './wire';

const RETRY_S = [5, 10, 30];

class Upstream {
  config = $state<Config | null>(null);
  models = $state<Model[]>([]);
  unreachable = $state<Models['unreachable']>([]);
  /** Why nothing is known; empty when something is. */
  problem = $state('');
  loaded = $state(false);
  #tries = 0;
  #timer = 0;

  /** Models that can chat. */
  get talkers(): Model[] {
    return this.models.filter((model) => model.capabilities.includes('completion'));
  }

  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      this.config ??= await get<Config>('/api/arena/config');
      const found = await get<Models>('/api/arena/models');
      this.models = found.models;
      this.unreachable = found.unreachable;
      this.problem = '';
    } catch (error) {
      this.problem = told(error);
    }
    this.loaded = true;
    if (this.problem || this.unreachable.length) {
      const wait = RETRY_S[Math.min(this.#tries++, RETRY_S.length - 1)]!;
      this.#timer = setTimeout(() => void this.refresh(), wait * 1000);
    } else {
      this.#tries = 0;
    }
  }
}

export const upstream = new Upstream();
