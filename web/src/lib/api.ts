// One way to the API: the token on every call (A5), errors as ApiError, streams as lines of JSON.

import { token } from './token.svelte';

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly details = '',
  ) {
    super(message);
  }

  /** One line for a person. */
  get text(): string {
    return this.details ? `${this.message}: ${this.details}` : this.message;
  }
}

/** What went wrong, in one line, whatever was thrown. */
export function told(error: unknown): string {
  if (error instanceof ApiError) return error.text;
  return error instanceof Error ? error.message : String(error);
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * The response of a call that succeeded. Asks for the token where one is needed, and tries again with it.
 * A file goes as it is, anything else as JSON.
 */
export async function call(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  for (;;) {
    const headers = new Headers(token.value ? { Authorization: `Bearer ${token.value}` } : {});
    const raw = body === undefined || body instanceof Blob;
    if (!raw) headers.set('Content-Type', 'application/json');
    const sent = raw ? (body ?? null) : JSON.stringify(body);
    let response: Response;
    try {
      response = await fetch(path, { method, headers, body: sent, signal: signal ?? null });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError('The arena does not answer', 0, 'is it still running?');
    }
    if (response.ok) return response;
    const problem = await failure(response);
    if (problem.status !== 401) throw problem;
    await token.ask(problem.message);
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call('GET', path, undefined, signal)).json() as Promise<T>;
}

export async function send<T>(method: Exclude<Method, 'GET'>, path: string, body: unknown = {}): Promise<T> {
  return (await call(method, path, body)).json() as Promise<T>;
}

/** The lines of a stream as they come. Aborting the signal hangs up, which stops the models as well. */
export async function* stream<T>(response: Response): AsyncGenerator<T> {
  if (!response.body) return;
  let rest = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line) yield JSON.parse(line) as T;
  }
}

async function failure(response: Response): Promise<ApiError> {
  try {
    const { error, details } = (await response.json()) as { error: string; details?: string };
    return new ApiError(error, response.status, details);
  } catch {
    return new ApiError(`The arena answered ${response.status}`, response.status);
  }
}
