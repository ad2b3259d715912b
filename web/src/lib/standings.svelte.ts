// The boards of one set of filters. While samples and checks are on their way they are asked for again (L6).

import { get, told } from './api';
import type { Leaderboard, Matrix } from './wire';

const AGAIN_MS = [400, 800, 1500, 3000];

export class Standings {
  board = $state.raw<Leaderboard | null>(null);
  matrix = $state.raw<Matrix | null>(null);
  problem = $state('');

  /** Ask for these, and what is older for nothing. Calling the result ends it. */
  follow(query: string): () => void {
    const leave = new AbortController();
    void this.#ask(query, leave.signal);
    return () => leave.abort();
  }

  async #ask(query: string, signal: AbortSignal): Promise<void> {
    try {
      for (let round = 0; ; round++) {
        const board = await get<Leaderboard>(`/api/arena/leaderboard?${query}`, signal);
        const matrix = board.boards.length
          ? await get<Matrix>(`/api/arena/matrix?${query}`, signal)
          : { boards: [] };
        this.board = board;
        this.matrix = matrix;
        this.problem = '';
        if (!board.boards.some((one) => one.refining || !one.checks)) return;
        await pause(AGAIN_MS[Math.min(round, AGAIN_MS.length - 1)]!, signal);
      }
    } catch (error) {
      if (!signal.aborted) this.problem = told(error);
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
