// The instances that are asked, remembered from visit to visit. Exact repeats are refused.

import { newId, newInstance, same, sweep } from './instances';
import { Kept } from './kept.svelte';
import type { AskedInstance, Config, Instance, Model, SettingName } from './wire';

export class Roster {
  /** The most there may be. */
  readonly most: number;
  #kept: Kept<Instance[] | null>;

  /** `name` is where it is remembered. */
  constructor(name: string, most = 6) {
    this.most = most;
    this.#kept = new Kept<Instance[] | null>(name, null);
  }

  get instances(): readonly Instance[] {
    return this.#kept.value ?? [];
  }

  get full(): boolean {
    return this.instances.length >= this.most;
  }

  /** For the first visit: two models, or one with two temperatures. */
  begin(models: readonly Model[], config: Config): void {
    const [first, second] = models;
    if (this.#kept.value !== null || !first) return;
    const one = newInstance(first, config);
    const other = second ? newInstance(second, config) : { ...newInstance(first, config), temperature: 0.2 };
    this.#kept.value = [one, other];
  }

  /** Why it cannot be added, or take the place of another; empty where it can. */
  refusal(instance: Instance, inPlaceOf = instance.id): string {
    const others = this.instances.filter((other) => other.id !== inPlaceOf);
    if (others.length >= this.most) return `There is room for ${this.most} models`;
    if (others.some((other) => same(other, instance))) {
      return `${instance.model} with these settings is here already: change one of them`;
    }
    return '';
  }

  /** Adds it, or takes the place of the one with its id. */
  put(instance: Instance): void {
    const known = this.instances.some((other) => other.id === instance.id);
    this.#kept.value = known
      ? this.instances.map((other) => (other.id === instance.id ? instance : other))
      : [...this.instances, instance];
  }

  /** Another model in its place: a new instance, with a thread of its own. */
  swap(id: string, instance: Instance): void {
    this.#kept.value = this.instances.map((other) => (other.id === id ? instance : other));
  }

  remove(id: string): void {
    this.#kept.value = this.instances.filter((instance) => instance.id !== id);
  }

  /** One place to the left (-1) or to the right (1). */
  move(id: string, by: -1 | 1): void {
    const moved = [...this.instances];
    const from = moved.findIndex((instance) => instance.id === id);
    const [instance] = moved.splice(from, 1);
    if (instance) moved.splice(Math.max(0, from + by), 0, instance);
    this.#kept.value = moved;
  }

  /** Takes the place of all of them, such as a saved roster; repeats and what is too much are left out. */
  replace(instances: readonly AskedInstance[]): void {
    const found: Instance[] = [];
    for (const asked of instances) {
      const instance = { ...asked, id: asked.id || newId(asked.model) };
      if (!found.some((other) => other.id === instance.id || same(other, instance))) found.push(instance);
    }
    this.#kept.value = found.slice(0, this.most);
  }

  /** One instance, with one setting over a range, in the place of it. */
  sweep(id: string, name: SettingName, from: number, to: number, count: number): void {
    const instances = this.instances.flatMap((instance) =>
      instance.id === id ? sweep(instance, name, from, to, count) : [instance],
    );
    this.replace(instances);
  }
}
