/** PUTs one manifest under many tags: `node push-tags.ts '<JSON of TagOrder>'` prints a `TagAnswer`. */
import { Pool } from 'undici';

export interface TagOrder {
  readonly url: string;
  readonly repository: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly mediaType: string;
  readonly manifest: string;
  /** Tags are `t<number>`, from this number on. */
  readonly from: number;
  readonly count: number;
  readonly atOnce: number;
}

export interface TagAnswer {
  readonly seconds: number;
  /** Milliseconds after the start at which each push was answered, in order. */
  readonly answeredMs: readonly number[];
}

export const tagName = (number: number): string => `t${String(number).padStart(7, '0')}`;

async function run(order: TagOrder): Promise<TagAnswer> {
  const pool = new Pool(order.url, { connections: order.atOnce });
  const answeredMs: number[] = [];
  let next = order.from;
  const end = order.from + order.count;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (next < end) {
      const tag = tagName(next++);
      const answer = await pool.request({
        method: 'PUT',
        path: `/v2/${order.repository}/manifests/${tag}`,
        headers: { ...order.headers, 'content-type': order.mediaType },
        body: order.manifest,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 201) throw new Error(`${tag}: ${answer.statusCode} ${text}`);
      answeredMs.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: order.atOnce }, worker));
  await pool.close();
  return { seconds: (performance.now() - started) / 1000, answeredMs };
}

if (import.meta.main) {
  process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]!) as TagOrder)));
}
