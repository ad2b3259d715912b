// The comparison on the page: a session of the arena, its turns, and the answers that are on their way.
//
// It lives longer than its page: answers go on while another page is looked at.

import { ApiError, call, get, send, stream, told } from '../api';
import { count, seconds } from '../format';
import { letter } from '../instances';
import { say } from '../say.svelte';
import type { Answer, AnswerId, Instance, Line, Session, Turn } from '../wire';
import { LiveAnswer } from './answer.svelte';

const LOOK_AGAIN_MS = 2000; // while answers that another window asked for are on their way

export interface Question {
  prompt: string;
  instances: readonly Instance[];
  images: readonly string[];
  schedule: 'parallel' | 'sequential';
  /** The answer that all go on from; null where each goes on from its own. */
  follows: AnswerId | null;
}

export class LiveTurn {
  readonly number: number;
  readonly prompt: string;
  readonly images: number;
  readonly follows: AnswerId | null;
  answers = $state.raw<readonly LiveAnswer[]>([]);

  constructor(turn: Omit<Turn, 'at' | 'answers'>, answers: readonly LiveAnswer[]) {
    this.number = turn.number;
    this.prompt = turn.prompt;
    this.images = turn.images;
    this.follows = turn.follows;
    this.answers = answers;
  }
}

export class Conversation {
  /** Empty until the first question. */
  id = $state('');
  title = $state('');
  system = $state('');
  turns = $state.raw<readonly LiveTurn[]>([]);
  /** Why the session could not be opened. */
  problem = $state('');
  /** Why something of the last turn was not saved, and how to go on. */
  unsaved = $state('');
  opening = $state(false);
  #kept = ''; // the system prompt and the instances as the server has them
  #timer = 0;
  #visits = 0;

  /** Every instance that has answered, in the order of their first answers: their places give the letters. */
  readonly columns = $derived.by(() => {
    const found = new Map<string, Instance>();
    for (const turn of this.turns) {
      for (const { instance } of turn.answers) found.set(instance.id, instance);
    }
    return [...found.values()];
  });

  get running(): boolean {
    return this.turns.some((turn) => turn.answers.some((answer) => answer.running));
  }

  /** The letter of an instance: by column, or by its place in the roster until it has answered. */
  letter(id: string, roster: readonly Instance[]): string {
    const column = this.columns.findIndex((instance) => instance.id === id);
    if (column >= 0) return letter(column);
    const fresh = roster.filter((instance) => !this.columns.some((known) => known.id === instance.id));
    return letter(this.columns.length + fresh.findIndex((instance) => instance.id === id));
  }

  /** Such as `B2`. */
  nameOf(answer: AnswerId): string {
    return `${this.letter(answer.instance_id, [])}${answer.turn}`;
  }

  /** Leave the session: the next question begins another. */
  fresh(): void {
    this.#visits++;
    this.opening = false;
    this.#show({ id: '', title: '', system: this.system, turns: [] });
  }

  /** Show a session; the instances it was last asked with. */
  async open(id: string): Promise<readonly Instance[]> {
    const visit = ++this.#visits;
    this.opening = true;
    this.problem = '';
    try {
      const session = await get<Session>(`/api/arena/sessions/${encodeURIComponent(id)}`);
      if (visit !== this.#visits) return []; // another one was opened meanwhile
      this.#show(session);
      this.#kept = kept(session.system, session.instances);
      return session.instances;
    } catch (error) {
      if (visit !== this.#visits) return [];
      this.#show({ id: '', title: '', system: '', turns: [] });
      this.problem =
        error instanceof ApiError && error.status === 404
          ? 'This comparison is not here any more'
          : told(error);
      return [];
    } finally {
      if (visit === this.#visits) this.opening = false;
    }
  }

  /** Returns when the arena has taken the question; the answers come in the background. Throws `ApiError`. */
  async ask(question: Question): Promise<void> {
    await this.#keep(question.instances);
    const response = await call('POST', `/api/arena/sessions/${this.id}/turns`, {
      prompt: question.prompt,
      model_instances: question.instances,
      schedule: question.schedule,
      ...(question.images.length ? { images: question.images } : {}),
      ...(question.follows ? { follows: question.follows } : {}),
    });
    const { lines, number, request } = await begun(response);
    this.unsaved = '';
    const answers = question.instances.map((instance) => new LiveAnswer({ ...instance }));
    const { prompt, images, follows } = question;
    const turn = new LiveTurn({ number, prompt, images: images.length, follows }, answers);
    this.turns = [...this.turns, turn];
    this.title ||= question.prompt.slice(0, 30);
    void this.#hear(lines, request, turn, answers);
  }

  /** Ask one instance of one turn again; its answer is replaced, the later turns stay. Throws `ApiError`. */
  async retry(turn: LiveTurn, old: LiveAnswer): Promise<void> {
    await this.#replace(turn, old, 'retry', () => new LiveAnswer(old.instance));
  }

  /** The rest of an answer that ended too early, behind what is there. Throws `ApiError`. */
  async resume(turn: LiveTurn, old: LiveAnswer): Promise<void> {
    await this.#replace(turn, old, 'continue', () => LiveAnswer.after(old));
  }

  async #replace(turn: LiveTurn, old: LiveAnswer, how: string, fresh: () => LiveAnswer): Promise<void> {
    const path = `/api/arena/sessions/${this.id}/turns/${turn.number}/${how}`;
    const response = await call('POST', path, { instance_id: old.instance.id });
    const { lines, request } = await begun(response);
    const answer = fresh();
    turn.answers = turn.answers.map((one) => (one === old ? answer : one));
    void this.#hear(lines, request, turn, [answer]);
  }

  async stop(answer: LiveAnswer): Promise<void> {
    await this.#cancel({ request_id: answer.request, instance_id: answer.instance.id });
  }

  async stopAll(): Promise<void> {
    const answers = this.turns.flatMap((turn) =>
      turn.answers.filter((answer) => answer.running && answer.request),
    );
    const requests = new Set(answers.map((answer) => answer.request));
    await Promise.all([...requests].map((request_id) => this.#cancel({ request_id })));
  }

  /** Throws `ApiError`. */
  async like(turn: LiveTurn, answer: LiveAnswer, like: boolean | null): Promise<void> {
    const path = `/api/arena/sessions/${this.id}/turns/${turn.number}/like`;
    await send('POST', path, { instance_id: answer.instance.id, like });
    answer.like = like;
  }

  async #cancel(which: { request_id: string; instance_id?: string }): Promise<void> {
    try {
      await send('POST', '/api/arena/cancel', which);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error; // it ended meanwhile
    }
  }

  /** The session is there, with the system prompt and the instances of the page. */
  async #keep(instances: readonly Instance[]): Promise<void> {
    const now = kept(this.system, instances);
    if (!this.id) {
      const session = await send<Session>('POST', '/api/arena/sessions', { system: this.system, instances });
      this.id = session.id;
    } else if (now !== this.#kept) {
      await send('PATCH', `/api/arena/sessions/${this.id}`, { system: this.system, instances });
    }
    this.#kept = now;
  }

  async #hear(
    lines: AsyncGenerator<Line>,
    request: string,
    turn: LiveTurn,
    answers: readonly LiveAnswer[],
  ): Promise<void> {
    const byId = new Map(answers.map((answer) => [answer.instance.id, answer]));
    for (const answer of answers) answer.request = request;
    let problem = 'The arena hung up';
    try {
      for await (const line of lines) {
        if (line.event === 'turn') continue;
        if (line.event === undefined) {
          this.unsaved = line.error;
          problem = line.error;
          continue;
        }
        const answer = byId.get(line.instance_id);
        answer?.hear(line);
        if (answer && line.event === 'done') this.#announce(turn, answer);
      }
    } catch (error) {
      problem = `${problem}: ${told(error)}`;
    }
    for (const answer of answers) if (answer.running) answer.end('interrupted', problem);
  }

  #announce(turn: LiveTurn, answer: LiveAnswer): void {
    const name = this.nameOf({ turn: turn.number, instance_id: answer.instance.id });
    if (answer.state === 'failed') say(`${name} failed.`);
    else if (answer.state === 'stopped') say(`${name} stopped.`);
    else {
      const tokens = answer.metrics ? `, ${count(answer.metrics.tokens)} tokens` : '';
      say(`${name} finished${tokens}, ${seconds(answer.timings?.wall_s ?? null)}.`);
    }
  }

  #show(session: Pick<Session, 'id' | 'title' | 'system' | 'turns'>): void {
    clearTimeout(this.#timer);
    this.unsaved = '';
    this.id = session.id;
    this.title = session.title;
    this.system = session.system;
    this.turns = session.turns.map(
      (turn) =>
        new LiveTurn(
          turn,
          turn.answers.map((answer: Answer) => new LiveAnswer(answer.instance, answer)),
        ),
    );
    // Another window asks, or this one was reloaded a moment ago and the arena has yet to notice.
    if (this.running) this.#timer = setTimeout(() => void this.open(this.id), LOOK_AGAIN_MS);
  }
}

function kept(system: string, instances: readonly Instance[]): string {
  return JSON.stringify([system, instances]);
}

/** The first line of a turn's stream, and the others. */
async function begun(
  response: Response,
): Promise<{ lines: AsyncGenerator<Line>; number: number; request: string }> {
  const lines = stream<Line>(response);
  const first = (await lines.next()).value as Line | undefined;
  if (first?.event !== 'turn') throw new ApiError('The arena hung up', 0, 'ask again');
  return { lines, number: first.number, request: first.request_id };
}

export const conversation = new Conversation();
