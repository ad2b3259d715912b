// What stands out among the answers of one turn (contract 2.9, best of row). Pure.

import type { Timings } from '../wire';
import type { LiveAnswer } from './answer.svelte';

export type Mark = 'fastest' | 'first' | 'shortest';

/** The marks by instance, once every answer is there; a tie earns none. */
export function marks(answers: readonly LiveAnswer[]): Map<string, Mark[]> {
  const found = new Map<string, Mark[]>();
  const whole = answers.filter((answer) => answer.state === 'done' && answer.text);
  if (whole.length < 2 || answers.some((answer) => answer.running)) return found;
  const give = (mark: Mark, value: (answer: LiveAnswer) => number | null): void => {
    const known = whole.map((answer) => ({ id: answer.instance.id, value: value(answer) ?? NaN }));
    const [best, next] = known
      .filter((one) => !Number.isNaN(one.value))
      .toSorted((one, other) => one.value - other.value);
    if (best && next && best.value < next.value) found.set(best.id, [...(found.get(best.id) ?? []), mark]);
  };
  // Speeds of answers that got in each other's way are no fair speeds.
  const fair = (answer: LiveAnswer): Timings | null => (answer.timings?.contended ? null : answer.timings);
  give('fastest', (answer) => {
    const speed = fair(answer)?.output_per_s ?? null;
    return speed === null ? null : -speed;
  });
  give('first', (answer) => fair(answer)?.first_token_s ?? null);
  give('shortest', (answer) => answer.text.length);
  return found;
}
