// One answer on its way or at its end, as its card shows it.

import { Pulse } from './pulse';
import type { Answer, AnswerState, Instance, Line, Metrics, Phase, Timings } from '../wire';

type Told = Exclude<Line, { event: 'turn' }>;

export class LiveAnswer {
  readonly instance: Instance;
  /** Grows with each line of the stream; `Markdown` draws it at its own pace. */
  text = $state('');
  thinking = $state('');
  state = $state<AnswerState>('running');
  phase = $state<Phase>('queued');
  error = $state('');
  metrics = $state.raw<Metrics | null>(null);
  timings = $state.raw<Timings | null>(null);
  doneReason = $state('');
  truncated = $state(false);
  like = $state<boolean | null>(null);
  /** When it was asked, on the clock of `performance.now()`; 0 for one that another visit asked. */
  readonly began: number;
  /** Pieces of text in each whole second so far. */
  rates = $state.raw<readonly number[]>([]);
  /** Whose stream it comes with; empty for one that another visit asked. */
  request = '';
  #pulse = new Pulse();

  constructor(instance: Instance, stored?: Answer) {
    this.instance = instance;
    this.began = stored ? 0 : performance.now();
    if (!stored) return;
    this.text = stored.text;
    this.thinking = stored.thinking;
    this.state = stored.state;
    this.error = stored.error ?? '';
    this.metrics = stored.metrics;
    this.timings = stored.timings;
    this.doneReason = stored.done_reason ?? '';
    this.like = stored.like;
  }

  /** One on its way again, behind the text of `old`. */
  static after(old: LiveAnswer): LiveAnswer {
    const answer = new LiveAnswer(old.instance);
    answer.text = old.text;
    answer.thinking = old.thinking;
    answer.like = old.like;
    return answer;
  }

  /** Whether it ended before its end, so that there is a rest of it to ask for. */
  get unfinished(): boolean {
    const early = ['stopped', 'interrupted', 'failed'].includes(this.state) || this.doneReason === 'length';
    return early && !this.running && this.text !== '';
  }

  get running(): boolean {
    return this.state === 'running';
  }

  hear(line: Told): void {
    switch (line.event) {
      case 'status':
        this.phase = line.state;
        break;
      case 'thinking':
        this.phase = 'thinking';
        this.thinking += line.thinking;
        this.#beat(line.t_ms);
        break;
      case 'token':
        this.phase = 'generating';
        this.text += line.token;
        this.#beat(line.t_ms);
        break;
      case 'done':
        this.metrics = line.metrics ?? null;
        this.timings = line.timings ?? null;
        this.doneReason = line.done_reason ?? '';
        this.truncated = line.history_truncated ?? false;
        this.end(line.error ? 'failed' : line.stopped ? 'stopped' : 'done', line.error);
    }
  }

  /** Nothing more comes. */
  end(state: AnswerState, error = ''): void {
    this.error = error;
    this.state = state;
  }

  #beat(t_ms: number): void {
    if (this.#pulse.beat(t_ms)) this.rates = this.#pulse.counts.slice(0, -1);
  }
}
