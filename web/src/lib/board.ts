// The leaderboard's words and measures: what the address may filter by, what the columns say, where a whisker lies.

import { count, percent, rate, seconds, when } from './format';
import type { Board, BoardLine } from './wire';

/** What a board counts, as the address and the API name it. The first of each list is the default and is left out. */
export const CHOICES = {
  unit: [
    ['instance', 'Model and settings'],
    ['model', 'Model'],
    ['family', 'Family'],
  ],
  blind: [
    ['1', 'Blind only'],
    ['0', 'All'],
  ],
  both_bad: [
    ['tie', 'Count as a tie'],
    ['drop', 'Left out'],
  ],
  leaked: [
    ['1', 'Counted'],
    ['0', 'Left out'],
  ],
  fast: [
    ['1', 'Counted'],
    ['0', 'Left out'],
  ],
  reweight: [
    ['0', 'All the same'],
    ['1', 'Less for pairs that met often'],
  ],
} as const;

export type ChoiceName = keyof typeof CHOICES;
export type FilterName =
  ChoiceName | 'category' | 'set' | 'language' | 'anchor' | 'from' | 'to' | 'min_games';

const NAMES: readonly FilterName[] = [
  'unit',
  'blind',
  'category',
  'set',
  'language',
  'from',
  'to',
  'min_games',
  'both_bad',
  'leaked',
  'fast',
  'reweight',
  'anchor',
];

const fallback = (name: FilterName): string => (name in CHOICES ? CHOICES[name as ChoiceName][0][0] : '');

/** `unit` of a bare address is `instance`: what is not said is at its default. */
export const chosen = (query: URLSearchParams, name: FilterName): string => query.get(name) || fallback(name);

/** Of an address what is a filter and not at its default, always in the same order. */
export function filters(query: URLSearchParams): URLSearchParams {
  const kept = NAMES.map((name) => [name, chosen(query, name)] as const);
  return new URLSearchParams(
    kept.filter(([name, value]) => value !== fallback(name)).map(([...pair]) => pair),
  );
}

export function changed(query: URLSearchParams, name: FilterName, value: string): URLSearchParams {
  const next = new URLSearchParams(query);
  next.set(name, value);
  return filters(next);
}

/** Whose rating is fixed, and where; the others keep their distance to it. */
export interface Anchor {
  name: string;
  rating: number;
}

/** Without an anchor the ratings of a board have this mean. */
export const MEAN = 1000;

/** `llama3.2:3b:1200`: a name may hold colons. */
export function anchor(query: URLSearchParams): Anchor | null {
  const [, name, points] = /^(.+):([^:]*)$/.exec(chosen(query, 'anchor')) ?? [];
  return name ? { name, rating: Number(points) } : null;
}

export const anchored = ({ name, rating }: Anchor): string => (name ? `${name}:${rating}` : '');

/** How a player is shown: the model, then its settings as the chips say them. */
export interface Player {
  title: string;
  detail: string;
}

const SETTINGS = /^(.+?)__([\d.]+)_([\d.]+)_(\d+)_([\d.]+)_(-?\d+)_(\d+)(.*)$/;

/**
 * `llama3_2_3b__0.7_0.9_40_1.1_-1_0` → `llama3.2:3b`, `T=0.7 P=0.9 K=40`. Any other name is a title.
 * An id has no dots and colons: they come from the names of `models`, where one of them fits.
 */
export function player(name: string, models: readonly { name: string }[] = []): Player {
  const found = SETTINGS.exec(name);
  if (!found) return { title: name, detail: '' };
  const [, model = '', t, p, k, repeat, most, seed, rest = ''] = found;
  const others = [
    repeat === '1.1' ? '' : `R=${repeat}`,
    most === '-1' ? '' : `M=${most}`,
    seed === '0' ? '' : `S=${seed}`,
    rest.replace(/^__/, '#').replace('__', ' #'),
  ];
  const title = models.find((one) => one.name.replace(/[^\w-]/g, '_') === model)?.name ?? model;
  return { title, detail: [`T=${t}`, `P=${p}`, `K=${k}`, ...others].filter(Boolean).join(' ') };
}

export const rating = (value: number): string => count(Math.round(value));

export const interval = (line: BoardLine): string => `${rating(line.low)} – ${rating(line.high)}`;

/** What else is said of a player, beside its rank, name, rating and interval. */
export const MEASURES: readonly {
  label: string;
  hint: string;
  of: (line: BoardLine, checks: Board['checks']) => string;
}[] = [
  { label: 'P(best)', hint: 'Chance that it is the best of this board', of: (line) => percent(line.best) },
  { label: 'Games', hint: 'Battles that count', of: (line) => count(line.games) },
  {
    label: 'W–L–T',
    hint: 'Comparisons won, lost and tied',
    of: (line) => `${line.wins}–${line.losses}–${line.ties}`,
  },
  { label: 'Win rate', hint: 'Ties are half a win', of: (line) => percent(line.win_rate) },
  {
    label: 'Equal length',
    hint: 'Win rate as it would be if all answers were equally long; from 10 comparisons on',
    of: (line, checks) => {
      const corrected = checks?.length_corrected[line.name];
      return corrected === undefined ? '–' : percent(corrected);
    },
  },
  { label: 'Bad', hint: 'Share of its answers where all were bad', of: (line) => percent(line.bad_rate) },
  {
    label: 'Tokens',
    hint: 'Mean length of an answer',
    of: (line) => (line.mean_tokens === null ? '–' : count(Math.round(line.mean_tokens))),
  },
  { label: 'Speed', hint: 'Median tokens per second', of: (line) => rate(line.tokens_per_s) },
  { label: 'First token', hint: 'Median time to the first token', of: (line) => seconds(line.first_token_s) },
  { label: 'Last played', hint: 'Newest battle that counts', of: (line) => when(line.last_played) },
];

/** Ratings to places along a line of some length. */
export class Scale {
  readonly ticks: readonly number[];
  readonly #low: number;
  readonly #perPoint: number;

  constructor(
    lines: readonly BoardLine[],
    readonly width: number,
    margin = 6,
  ) {
    const low = Math.min(...lines.map((line) => line.low));
    const high = Math.max(...lines.map((line) => line.high));
    const step = [50, 100, 200, 500, 1000].find((size) => (high - low) / size <= width / 50) ?? 2000;
    this.#perPoint = (width - 2 * margin) / Math.max(high - low, 1);
    this.#low = low - margin / this.#perPoint;
    const first = Math.ceil(low / step) * step;
    const many = Math.max(0, Math.floor((high - first) / step) + 1);
    this.ticks = Array.from({ length: many }, (_, place) => first + place * step);
  }

  at(value: number): number {
    return Math.round((value - this.#low) * this.#perPoint * 10) / 10;
  }
}
