// How much the arena keeps, as the History page shows it; whoever adds or deletes something has it looked at again.

import { get, told } from './api';

export interface Sizes {
  sessions: number;
  battles: number;
  votes: number;
  /** Sessions that have not been changed since the moment asked for. */
  older: number | null;
  /** Of what is kept. */
  bytes: number;
  /** Of the files, with room for what comes. */
  on_disk: number;
}

const PATH = '/api/arena/storage';

class Storage {
  sizes = $state.raw<Sizes | null>(null);
  problem = $state('');

  async look(): Promise<void> {
    try {
      this.sizes = await get<Sizes>(PATH);
      this.problem = '';
    } catch (error) {
      this.problem = told(error);
    }
  }

  /** How many sessions were changed last before this moment. Throws `ApiError`. */
  async older(before: string): Promise<number> {
    return (await get<Sizes>(`${PATH}?${new URLSearchParams({ before })}`)).older ?? 0;
  }
}

export const storage = new Storage();
