import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds } from './processes.ts';

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that a quarter of all are below: what else a machine does only adds to what is measured. */
export function lowerQuartile(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 2]!;
}

/** Figures of one server's turn, by name. */
export type Turn = Readonly<Record<string, number>>;

/**
 * Each subject's turn in each round, the order turned about from round to round (A B, B A, …), so that
 * what the machine does meanwhile falls on all alike. Gives the median of each figure by subject, or what `of` gives.
 */
export async function alternate<S extends { readonly name: string }>(
  subjects: readonly S[],
  rounds: number,
  turn: (subject: S, round: number) => Promise<Turn>,
  of: (values: readonly number[]) => number = median,
): Promise<Map<string, Record<string, number>>> {
  const figures = new Map<string, Map<string, number[]>>();
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? subjects : subjects.toReversed();
    for (const subject of order) {
      const mine = figures.get(subject.name) ?? new Map<string, number[]>();
      figures.set(subject.name, mine);
      for (const [name, value] of Object.entries(await turn(subject, round))) {
        mine.set(name, [...(mine.get(name) ?? []), value]);
      }
    }
  }
  const one = new Map<string, Record<string, number>>();
  for (const [name, mine] of figures) {
    one.set(name, Object.fromEntries([...mine].map(([figure, values]) => [figure, of(values)])));
  }
  return one;
}

/** The CPU seconds that `pid` spends while `work` runs, and what `work` gives. */
export async function metered<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ result: T; own: number; children: number }> {
  const before = cpuSeconds(pid);
  const result = await work();
  const after = cpuSeconds(pid);
  return { result, own: after.own - before.own, children: after.children - before.children };
}

/** Resolves when `pid` and its children have done (almost) nothing for half a second. */
export async function settled(pid: number, withinMs = 60_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (let before = cpuSeconds(pid); Date.now() < deadline; ) {
    await delay(500);
    const now = cpuSeconds(pid);
    if (now.own + now.children - before.own - before.children <= 0.03) return;
    before = now;
  }
}
