// What the arena's API says and takes. The page is its first client and uses nothing but documented routes.

export interface Settings {
  temperature: number;
  top_p: number;
  top_k: number;
  repeat_penalty: number;
  num_predict: number;
  seed: number;
}

export type SettingName = keyof Settings;

/** One model with its settings. `use_model_defaults` stands in the place of the six. */
export interface Instance extends Partial<Settings> {
  id: string;
  model: string;
  endpoint?: string;
  use_model_defaults?: boolean;
  system?: string;
  think?: boolean | string;
}

/** As a request may give it: without an id the server makes one. */
export type AskedInstance = Omit<Instance, 'id'> & { id?: string };

export interface Range {
  min: number;
  max: number;
  integer: boolean;
}

export interface Config {
  version: string;
  limits: {
    columns: number;
    instances: number;
    messages: number;
    body_bytes: number;
    images: number;
    image_bytes: number;
  };
  endpoints: { name: string; url: string }[];
  defaults: Settings;
  ranges: Record<SettingName, Range>;
}

export interface Health {
  status: 'healthy' | 'degraded';
  service: string;
  models_available: number;
}

export interface Model {
  name: string;
  endpoint: string;
  size: number | null;
  family: string | null;
  parameter_size: string | null;
  quantization: string | null;
  context_length: number | null;
  capabilities: string[];
  digest: string | null;
  modified_at: string | null;
  loaded: number | null;
}

export interface Models {
  models: Model[];
  unreachable: { endpoint: string; url: string; error: string }[];
}

export interface Pull {
  model: string;
  endpoint: string;
  status: 'downloading' | 'done' | 'failed' | 'cancelled';
  detail: string | null;
  completed: number | null;
  total: number | null;
  bytes_per_s: number | null;
  error: string | null;
}

export interface Metrics {
  tokens: number;
  duration_s: number;
  tokens_per_sec: number;
  estimated?: boolean;
}

/** Seconds, and tokens per second; null where the upstream did not say. */
export interface Timings {
  queue_s: number | null;
  load_s: number | null;
  prompt_s: number | null;
  thinking_s: number | null;
  generation_s: number | null;
  wall_s: number | null;
  first_token_s: number | null;
  first_answer_s: number | null;
  prompt_tokens: number | null;
  output_tokens: number | null;
  prompt_per_s: number | null;
  output_per_s: number | null;
  context_used: number | null;
  done_reason: string;
  cold: boolean;
  contended: boolean;
  stopped: boolean;
  /** That the answer came in, where it was continued. */
  parts?: number;
  /** Some part was not measured. */
  partial?: boolean;
}

export type Phase = 'queued' | 'loading' | 'prompt' | 'thinking' | 'generating';

interface Of {
  seq: number;
  t_ms: number;
  instance_id: string;
  model: string;
}

export type Line =
  | { event?: undefined; error: string } // the last one, where something went wrong
  | { event: 'turn'; number: number; request_id: string }
  | ({ event: 'status'; state: Phase } & Of)
  | ({ event: 'thinking'; thinking: string } & Of)
  | ({ event: 'token'; token: string; done: false } & Of)
  | ({
      event: 'done';
      token: '';
      done: true;
      metrics?: Metrics;
      timings?: Timings;
      done_reason?: string;
      stopped?: boolean;
      history_truncated?: boolean;
      error?: string;
    } & Of);

export type AnswerState = 'running' | 'done' | 'stopped' | 'failed' | 'interrupted';

export interface Answer {
  instance: Instance;
  text: string;
  thinking: string;
  state: AnswerState;
  error: string | null;
  metrics: Metrics | null;
  timings: Timings | null;
  done_reason: string | null;
  like: boolean | null;
}

/** An answer of a session. */
export interface AnswerId {
  turn: number;
  instance_id: string;
}

export interface Turn {
  number: number;
  prompt: string;
  images: number;
  at: string;
  /** The answer that all of its instances go on from; null where each goes on from its own. */
  follows: AnswerId | null;
  answers: Answer[];
}

export interface SessionSummary {
  id: string;
  title: string;
  created: string;
  updated: string;
  turns: number;
  models: string[];
}

export interface Session {
  id: string;
  title: string;
  system: string;
  created: string;
  updated: string;
  instances: Instance[];
  turns: Turn[];
}

export interface ShelfItem<Document> {
  id: string;
  name: string;
  created: string;
  document: Document;
}

export type Roster = ShelfItem<{ instances: AskedInstance[] }>;
export type Prompt = ShelfItem<{ category?: string; text: string }>;

export type BattleState = 'streaming' | 'ready' | 'void' | 'voted' | 'skipped' | 'revealed';

export interface Verdict {
  kind: 'best' | 'tie' | 'both_bad' | 'ranking' | 'likes';
  groups: string[][];
}

export interface Reveal {
  instance: Instance;
  rated: string;
  metrics: Metrics | null;
  timings: Timings | null;
  leak: 'soft' | 'hard' | null;
}

export interface BlindAnswer {
  text: string;
  /** While blind only where every slot has some (V6). */
  thinking?: string;
  state: 'waiting' | 'streaming' | 'done' | 'failed';
  error?: string;
}

export interface Opinion {
  tags: string[];
  note: string;
}

export interface Battle {
  id: string;
  at: string;
  state: BattleState;
  slots: string[];
  paced: boolean;
  blind: boolean;
  turns: { prompt: string; answers: Record<string, BlindAnswer> }[];
  verdict: Verdict | null;
  reveal: Record<string, Reveal> | null;
  undo_until: string | null;
  /** What the vote says beside its verdict, once there is one. */
  opinion?: Opinion;
}

export type BattleLine =
  | { event: 'token'; slot: string; token: string }
  | { event: 'done'; slot: string }
  | { event: 'failed'; slot: string; error: string }
  | { event: 'state'; state: BattleState };

export interface Voted {
  state: BattleState;
  verdict: Verdict;
  reveal: Record<string, Reveal>;
  ratings: Record<string, { before: number | null; after: number | null }>;
}

export interface BattleSummary {
  id: string;
  at: string;
  state: BattleState;
  prompt: string;
  slots: string[];
  verdict: Verdict | null;
  reveal: Record<string, Reveal> | null;
}

export interface BoardLine {
  rank: number;
  name: string;
  rating: number;
  low: number;
  high: number;
  best: number;
  games: number;
  wins: number;
  losses: number;
  ties: number;
  win_rate: number;
  bad_rate: number;
  mean_tokens: number | null;
  tokens_per_s: number | null;
  first_token_s: number | null;
  last_played: string;
  provisional: boolean;
}

export interface Board {
  certainty: 'posterior' | 'laplace';
  refining: boolean;
  to_settle: number | null;
  left: { rate: number | null; low: number; high: number; games: number; warn: boolean };
  /** Null while they are on their way. */
  checks: {
    /** So few of these votes less, and another would lead; null where it is not known to be so. */
    fragility: number | null;
    votes: number;
    /** Win rates at equal length by player, of those who have played enough. */
    length_corrected: Record<string, number>;
  } | null;
  lines: BoardLine[];
}

export interface Leaderboard {
  votes: number;
  kept: number;
  boards: Board[];
  categories: string[];
  sets: string[];
  languages: string[];
}

export interface Matrix {
  boards: { players: string[]; games: number[][]; wins: number[][]; chance: number[][] }[];
}
