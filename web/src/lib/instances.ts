// Instances: one model, its six settings, an id. What is true of them without a screen.

import type { Config, Instance, Model, SettingName, Settings } from './wire';

export const SETTING_NAMES: readonly SettingName[] = [
  'temperature',
  'top_p',
  'top_k',
  'repeat_penalty',
  'num_predict',
  'seed',
];

/** For people: the name, the letter on a chip, and what it does. `slider` ends where a slider is still of use. */
export const SETTINGS: Record<
  SettingName,
  { name: string; letter: string; hint: string; step: number; slider?: number }
> = {
  temperature: {
    name: 'Temperature',
    letter: 'T',
    hint: 'Low: the likeliest words. High: surprises.',
    step: 0.01,
  },
  top_p: {
    name: 'Top P',
    letter: 'P',
    hint: 'Only the likeliest words that add up to this share.',
    step: 0.01,
  },
  top_k: { name: 'Top K', letter: 'K', hint: 'Only so many of the likeliest words; 0 is all.', step: 1 },
  repeat_penalty: { name: 'Repeat penalty', letter: 'R', hint: '1 is none.', step: 0.01 },
  num_predict: { name: 'Most tokens', letter: 'M', hint: 'Where the answer is cut; -1 is never.', step: 1 },
  seed: { name: 'Seed', letter: 'S', hint: '0 is another one every time.', step: 1, slider: 9999 },
};

export const PRESETS: readonly { name: string; settings: Partial<Settings> }[] = [
  { name: 'Precise', settings: { temperature: 0.2, top_p: 0.8, top_k: 20 } },
  { name: 'Creative', settings: { temperature: 1.1, top_p: 0.95, top_k: 80 } },
  { name: 'Repeatable', settings: { temperature: 0.01, seed: 42 } },
];

const ALWAYS: readonly SettingName[] = ['temperature', 'top_p', 'top_k'];

/** `T=0.7 P=0.9 K=40`, and the others where they are not what they are for everyone. */
export function chips(instance: Instance, defaults: Settings | undefined): string[] {
  if (instance.use_model_defaults) return ['own defaults', ...extraChips(instance)];
  const shown = SETTING_NAMES.filter((name) => ALWAYS.includes(name) || instance[name] !== defaults?.[name]);
  return [...shown.map((name) => `${SETTINGS[name].letter}=${instance[name]}`), ...extraChips(instance)];
}

function extraChips(instance: Instance): string[] {
  const found: string[] = [];
  if (instance.think !== undefined) found.push(instance.think ? 'thinks' : 'no thinking');
  if (instance.system) found.push('own system prompt');
  return found;
}

/** With the settings that everyone has. The default endpoint is not named: a board calls the model by its name alone. */
export function newInstance(model: Pick<Model, 'name' | 'endpoint'>, config: Config): Instance {
  const endpoint = model.endpoint === config.endpoints[0]?.name ? undefined : model.endpoint;
  return { id: newId(model.name), model: model.name, endpoint, ...config.defaults };
}

/** Whether it is this model, at this endpoint. */
export function isOf(
  instance: Pick<Instance, 'model' | 'endpoint'>,
  model: Model,
  config: Config | null,
): boolean {
  return (
    model.name === instance.model && model.endpoint === (instance.endpoint || config?.endpoints[0]?.name)
  );
}

/** Stays the same while settings change, so that a column keeps its thread; another model gets another id. */
export function newId(model: string): string {
  const random = crypto.getRandomValues(new Uint8Array(3));
  return `${model.slice(0, 80)}-${[...random].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Whether both would be asked the very same thing. */
export function same(one: Instance, other: Instance): boolean {
  return fingerprint(one) === fingerprint(other);
}

function fingerprint(instance: Instance): string {
  const { id: _, ...rest } = instance;
  const settings = instance.use_model_defaults ? SETTING_NAMES : [];
  const kept = Object.entries(rest).filter(
    ([name, value]) => value !== undefined && value !== '' && !settings.includes(name as SettingName),
  );
  return JSON.stringify(kept.sort());
}

/** `count` instances like `instance`, with one setting from `from` to `to` in equal steps, both ends included. */
export function sweep(
  instance: Instance,
  name: SettingName,
  from: number,
  to: number,
  count: number,
): Instance[] {
  const places = SETTINGS[name].step < 1 ? 2 : 0;
  const values = Array.from({ length: count }, (_, index) =>
    Number((from + ((to - from) * index) / Math.max(1, count - 1)).toFixed(places)),
  );
  return [...new Set(values)].map((value) => ({
    ...instance,
    id: newId(instance.model),
    use_model_defaults: undefined,
    [name]: value,
  }));
}

/** `A`, `B`, … by place. */
export const letter = (place: number): string => String.fromCharCode(65 + (place % 26));
