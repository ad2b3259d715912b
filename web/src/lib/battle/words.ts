// Battles in words. Pure.

import type { Battle, Verdict, Voted } from '../wire';

/** `A better`, `Tie`, `B > A = C`. */
export function decision(verdict: Verdict): string {
  if (verdict.kind === 'tie') return 'Tie';
  if (verdict.kind === 'both_bad') return allBad(verdict.groups.flat().length);
  if (verdict.kind === 'best') return `${verdict.groups[0]?.join(', ')} better`;
  return verdict.groups.map((group) => group.join(' = ')).join(' > ');
}

export const allBad = (slots: number): string => (slots > 2 ? 'All bad' : 'Both bad');

/** What may have decided a vote: suggestions, the API takes any. */
export const REASONS = [
  'correct',
  'clear',
  'complete',
  'good style',
  'wrong',
  'too long',
  'refused',
] as const;

/** Who was behind the letters, for people who hear it. */
export const winner = ({ reveal }: Pick<Voted, 'reveal'>): string =>
  Object.entries(reveal)
    .map(([slot, { instance }]) => `${slot} was ${instance.model}.`)
    .join(' ');

/** Why it does not count, and what that means; empty where it may still be voted on, or was. */
export function ending({ state, reveal }: Battle): { title: string; text: string } | null {
  if (state === 'skipped') return { title: 'Skipped', text: 'It does not count, and nobody is shown.' };
  if (state === 'revealed') return { title: 'Shown without a vote', text: 'It does not count.' };
  if (state !== 'void') return null;
  return reveal
    ? { title: 'The vote was taken back', text: 'Who it was has been seen, so this battle does not count.' }
    : { title: 'An answer failed', text: 'Answers that are no match for each other are not voted on.' };
}

/** Places by slot, 1 the best, as the groups of a ranking: equal places stand together. */
export function ranking(places: Readonly<Record<string, number>>): string[][] {
  const groups = new Map<number, string[]>();
  for (const [slot, place] of Object.entries(places)) groups.set(place, [...(groups.get(place) ?? []), slot]);
  return [...groups].sort(([one], [other]) => one - other).map(([, slots]) => slots);
}
