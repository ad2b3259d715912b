// What is kept: sessions and battles in words, and the files that they can be taken along in.

import { decision } from './battle/words';
import type { BattleSummary } from './wire';

export const battleSlots = ({ slots, reveal }: BattleSummary): string =>
  slots.map((slot) => (reveal?.[slot] ? `${slot} ${reveal[slot].instance.model}` : slot)).join(' · ');

/** How a battle ended, or what it waits for. */
export function outcome({ state, verdict }: BattleSummary): string {
  if (verdict && state === 'voted') return decision(verdict);
  const words = {
    streaming: 'Running',
    ready: 'Waits for your vote',
    voted: 'Voted',
    void: 'Void, not counted',
    skipped: 'Skipped',
    revealed: 'Revealed, not counted',
  };
  return words[state];
}

export type What = 'all' | 'sessions' | 'votes';

export const WHATS: Record<What, string> = {
  all: 'Everything',
  sessions: 'Sessions',
  votes: 'Votes',
};

const REPORTS = { md: 'Markdown, to read', html: 'HTML, to read, one file' };

/** Which formats there are for what, the most complete first. */
export const FORMATS: Record<What, Record<string, string>> = {
  all: { json: 'JSON, complete', ...REPORTS },
  sessions: { json: 'JSON, complete', ...REPORTS },
  votes: {
    json: 'JSON, complete',
    csv: 'CSV, as ranking tools read it',
    jsonl: 'JSONL, preference pairs',
    ...REPORTS,
  },
};

/** What became of a file's votes, or would become of them. */
export interface Imported {
  new: number;
  known: number;
  /** Records that are no votes. */
  other: number;
  /** The first of them. */
  rejected: { line: number; error: string }[];
  rejected_count: number;
}
