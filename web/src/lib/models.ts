// Installed models in words.

import { bytes, count, percent, seconds } from './format';
import type { Model, Pull } from './wire';

/** What the upstream calls `completion` is what people call chat; the rest are their own words. */
const CAPABILITIES: Record<string, string> = { completion: 'chat', insert: 'completion' };

export const abilities = (model: Model): string[] =>
  model.capabilities.map((capability) => CAPABILITIES[capability] ?? capability);

/** Where a loaded model runs: the share is that of the accelerator. */
export function residence(loaded: number | null): string {
  if (loaded === null) return '';
  if (loaded <= 0) return 'loaded, CPU';
  return loaded >= 1 ? 'loaded, GPU' : `loaded, ${percent(loaded)} GPU`;
}

/** What is told of each, in the order of the columns. */
export const FACTS: readonly { label: string; of: (model: Model) => string }[] = [
  { label: 'Size', of: (model) => bytes(model.size) },
  { label: 'Parameters', of: (model) => model.parameter_size || '–' },
  { label: 'Quantisation', of: (model) => model.quantization || '–' },
  { label: 'Context', of: (model) => (model.context_length === null ? '–' : count(model.context_length)) },
];

/** Those whose name, family or abilities hold every word, by name. */
export function found(models: readonly Model[], words: string): Model[] {
  const wanted = words.toLowerCase().split(/\s+/);
  return models
    .filter((model) => {
      const said = [model.name, model.family, model.parameter_size, model.quantization, ...abilities(model)];
      const text = said.join(' ').toLowerCase();
      return wanted.every((word) => text.includes(word));
    })
    .sort((one, other) => one.name.localeCompare(other.name));
}

/** `120 MB of 2.0 GB · 12 MB/s · 2 min 36 s left`: what is known of it. */
export function progress(pull: Pull): string {
  const { completed, total, bytes_per_s: speed } = pull;
  if (completed === null || !total) return pull.detail || 'Starting';
  const told = [`${bytes(completed)} of ${bytes(total)}`];
  if (speed) told.push(`${bytes(speed)}/s`, `${seconds((total - completed) / speed)} left`);
  return told.join(' · ');
}
