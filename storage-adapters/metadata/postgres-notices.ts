import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Notices } from '../../src/ports/leases.ts';
import { connectionSettings } from './dialects/postgres.ts';

const channel = 'gantry';
/** Commits that follow closely share a notice. */
const gatherMs = 25;
const againMs = 1_000;

/**
 * What replicas tell each other by NOTIFY, over one connection that listens. It is sent after the commit, by itself:
 * within a transaction it would make all commits of the database queue. Payload: `<process> commit`, or
 * `<process> published <position>`.
 */
export class PostgresNotices implements Notices {
  readonly #pool: pg.Pool;
  readonly #url: string;
  readonly #self = randomUUID();
  readonly #committed: (() => void)[] = [];
  readonly #published: ((position: number) => void)[] = [];
  #due: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #position = 0;
  #commit = false;
  #client: pg.Client | undefined;
  #listening: Promise<void>;
  #closed = false;

  constructor(pool: pg.Pool, url: string) {
    this.#pool = pool;
    this.#url = url;
    this.#listening = this.#listen();
  }

  tellCommitted(): void {
    this.#commit = true;
    this.#send();
  }

  tellPublished(position: number): void {
    this.#position = Math.max(this.#position, position);
    this.#send();
  }

  /** Another replica committed something; also after a time in which it could not be heard. */
  onCommitted(listener: () => void): void {
    this.#committed.push(listener);
  }

  onPublished(listener: (position: number) => void): void {
    this.#published.push(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#due);
    clearTimeout(this.#retry);
    await this.#listening;
    await this.#client?.end().catch(() => {});
  }

  #send(): void {
    if (this.#closed) return;
    this.#due ??= setTimeout(() => {
      this.#due = undefined;
      const words: string[] = [];
      if (this.#commit) words.push('commit');
      if (this.#position > 0) words.push(`published ${this.#position}`);
      [this.#commit, this.#position] = [false, 0];
      for (const word of words) {
        // One that is lost is made up for by the polls.
        this.#pool
          .query('select pg_notify($1, $2)', [channel, `${this.#self} ${word}`])
          .catch(() => {});
      }
    }, gatherMs).unref();
  }

  async #listen(): Promise<void> {
    if (this.#closed) return;
    const client = new pg.Client({
      ...connectionSettings(this.#url),
      application_name: 'gantry-listen',
    });
    this.#client = client;
    const gone = () => {
      if (this.#client !== client || this.#closed) return;
      this.#client = undefined;
      void client.end().catch(() => {});
      this.#retry = setTimeout(() => {
        this.#listening = this.#listen();
      }, againMs).unref();
    };
    client.on('error', gone);
    client.on('end', gone);
    client.on('notification', ({ payload = '' }) => this.#heard(payload));
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      for (const listener of this.#committed) listener();
    } catch {
      gone();
    }
  }

  #heard(payload: string): void {
    const [from, kind, position] = payload.split(' ');
    if (from === this.#self) return;
    if (kind === 'commit') for (const listener of this.#committed) listener();
    if (kind !== 'published') return;
    const at = Number(position);
    if (Number.isSafeInteger(at)) for (const listener of this.#published) listener(at);
  }
}
