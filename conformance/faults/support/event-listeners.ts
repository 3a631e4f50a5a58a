import { execFileSync } from 'node:child_process';
import { get } from 'node:http';
import {
  openReceiver,
  type Received,
  type Receiver,
} from '../../../src/events/webhook-test-kit.ts';
import type { Random } from './random.ts';

/** What a webhook heard: of each stream, the sequences in the order in which each came for the first time. */
export class WebhookEar {
  readonly receiver: Receiver;
  readonly streams = new Map<string, number[]>();
  readonly #known = new Set<string>();
  repeated = 0;
  refused = 0;

  private constructor(receiver: Receiver, random: Random) {
    this.receiver = receiver;
    receiver.answer = (message) => {
      // Now and then it has no time, and the message must come again before the next one.
      if (random.chance(0.002)) {
        this.refused += 1;
        return { status: 503 };
      }
      this.#hear(message);
      return { status: 204 };
    };
  }

  static async open(t: { after(fn: () => unknown): void }, random: Random): Promise<WebhookEar> {
    return new WebhookEar(await openReceiver(t), random);
  }

  get heard(): number {
    return this.#known.size;
  }

  #hear({ body }: Received): void {
    const event = JSON.parse(body) as { id: string; partitionkey: string; sequence: string };
    if (this.#known.has(event.id)) {
      this.repeated += 1;
      return;
    }
    this.#known.add(event.id);
    const sequences = this.streams.get(event.partitionkey) ?? [];
    sequences.push(Number(event.sequence));
    this.streams.set(event.partitionkey, sequences);
  }

  /** How many messages came with a signature that Python's own hmac makes of them; throws at another one. */
  verify(secret: string): number {
    const messages = this.receiver.received.map(({ headers, body }) => ({
      ...{ body, id: headers['webhook-id'], timestamp: headers['webhook-timestamp'] },
      signature: headers['webhook-signature'],
    }));
    const input = JSON.stringify({ secret, messages });
    return Number(execFileSync('python3', ['-c', verifier], { input }));
  }
}

/** The Standard Webhooks specification, read anew. */
const verifier = `
import base64, hashlib, hmac, json, sys
given = json.load(sys.stdin)
key = base64.b64decode(given["secret"].removeprefix("whsec_"))
for m in given["messages"]:
    signed = f'{m["id"]}.{m["timestamp"]}.{m["body"]}'.encode()
    good = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if good not in m["signature"].split():
        sys.exit(f'no signature of {m}')
print(len(given["messages"]))
`;

/** Follows the live stream over crashes, as a browser does: it comes again with the last id. */
export class StreamEar {
  readonly positions: number[] = [];
  readonly gaps: string[] = [];
  connections = 0;
  #lastId = '0';
  #stopped = false;

  /** Until the connection breaks. */
  follow(origin: string, authorization: string): void {
    if (this.#stopped) return;
    const headers = { Authorization: authorization, 'Last-Event-ID': this.#lastId };
    const asked = get(`${origin}/api/v1/events`, { headers, agent: false }, (answer) => {
      this.connections += 1;
      let rest = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop()!;
        for (const block of blocks) this.#take(block);
      });
      answer.on('error', () => {});
    });
    asked.on('error', () => {});
  }

  stop(): void {
    this.#stopped = true;
  }

  #take(block: string): void {
    const id = /^id: (\d+)$/m.exec(block)?.[1];
    if (/^event: gap$/m.test(block)) this.gaps.push(block);
    if (id === undefined) return;
    this.#lastId = id;
    if (/^data: /m.test(block)) this.positions.push(Number(id));
  }
}
