import { random } from './random.ts';

/** One request of a recording, or of what was generated. Milliseconds since the beginning. */
export interface TrafficRequest {
  readonly at: number;
  /** Number of the function. */
  readonly to: number;
  readonly ms: number;
}

/** Lines of `at,function,ms`, as `function_requests` holds them; the first line may name the columns. */
export function parseRecording(csv: string): TrafficRequest[] {
  return csv
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => {
      const [at, to, ms] = line.split(',').map(Number);
      return { at: at!, to: to!, ms: ms! };
    })
    .sort((a, b) => a.at - b.at);
}

/**
 * Requests as installations see them: a few functions have most of it, most are called now and then, some by a
 * clock, and some in bursts.
 */
export function generateTraffic(options: {
  readonly functions: number;
  readonly ms: number;
  readonly seed: number;
}): TrafficRequest[] {
  const next = random(options.seed);
  const requests: TrafficRequest[] = [];
  const exponential = (mean: number) => -Math.log(1 - next()) * mean;
  for (let to = 0; to < options.functions; to++) {
    const took = () => 5 + exponential(to % 7 === 0 ? 2_000 : 80);
    const kind = next();
    if (kind < 0.02) {
      // Busy, in waves.
      const every = 100 + next() * 400;
      for (let at = exponential(every); at < options.ms; at += exponential(every)) {
        const wave = Math.sin((at / options.ms) * 6) > -0.5;
        if (wave) requests.push({ at, to, ms: took() });
      }
    } else if (kind < 0.2) {
      const every = 60_000;
      for (let at = next() * every; at < options.ms; at += every) {
        requests.push({ at, to, ms: took() });
      }
    } else if (kind < 0.3) {
      const at = next() * options.ms;
      const count = 10 + Math.floor(next() * 40);
      for (let n = 0; n < count; n++) requests.push({ at: at + n * next(), to, ms: took() });
    } else {
      const every = options.ms * (0.5 + next() * 4);
      for (let at = exponential(every); at < options.ms; at += exponential(every)) {
        requests.push({ at, to, ms: took() });
      }
    }
  }
  return requests.sort((a, b) => a.at - b.at);
}
