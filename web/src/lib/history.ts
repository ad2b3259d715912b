// What is kept: sessions and battles in words, and the files that they can be taken along in.

import { decision } from './battle/words';
import { count } from './format';
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

export type Kind = 'vote' | 'session' | 'roster' | 'prompts';

interface Count {
  new: number;
  known: number;
  rejected: number;
}

/** What became of the records of a file, or would become of them. */
export interface Imported {
  new: number;
  known: number;
  /** Records that cannot come back. */
  other: number;
  /** The first of them. */
  rejected: { line: number; error: string; record: Kind | null }[];
  rejected_count: number;
  kinds: Record<Kind, Count>;
}

const NAMES: Record<Kind, readonly [string, string]> = {
  vote: ['vote', 'votes'],
  session: ['session', 'sessions'],
  roster: ['roster', 'rosters'],
  prompts: ['saved prompt', 'saved prompts'],
};

const KINDS = Object.keys(NAMES) as Kind[];

export const counted = (kind: Kind, many: number): string =>
  `${count(many)} ${NAMES[kind][many === 1 ? 0 : 1]}`;

export const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

/** A line for each kind that the file has something of; at least one. */
export function summary({ kinds }: Imported, done: boolean): string[] {
  const found = KINDS.filter((kind) => kinds[kind].new + kinds[kind].known + kinds[kind].rejected);
  return (found.length ? found : KINDS.slice(0, 1)).map((kind) => {
    const { new: fresh, known, rejected } = kinds[kind];
    const what = `${counted(kind, fresh)} ${done ? 'imported' : 'new'}`;
    return `${what}, ${count(known)} known already, ${count(rejected)} rejected.`;
  });
}

/** Such as `2 votes and 1 session`. */
export const news = ({ kinds }: Imported): string =>
  listed(KINDS.filter((kind) => kinds[kind].new).map((kind) => counted(kind, kinds[kind].new)));

/** Lines that nobody can tell the kind of. */
export const unread = ({ kinds, rejected_count }: Imported): number =>
  rejected_count - KINDS.reduce((sum, kind) => sum + kinds[kind].rejected, 0);

const DAY_MS = 86_400_000;

export const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();
