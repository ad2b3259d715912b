// An upstream's own words about a failure, in plain ones (contract 2.15).

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/connection refused|could not connect|no connection/i, 'The upstream does not answer. Is it running?'],
  [/not found|does not exist/i, 'The upstream does not have this model.'],
  [/timed out/i, 'The model was silent for too long.'],
  [/memory/i, 'The upstream has too little memory for this model.'],
  [/closed the connection|hung up|cut off|broke off/i, 'The connection broke in the middle of the answer.'],
  [/image|vision|picture/i, 'This model cannot see pictures.'],
];

export function plainReason(error: string): string {
  return REASONS.find(([known]) => known.test(error))?.[1] ?? 'The upstream reported an error.';
}
