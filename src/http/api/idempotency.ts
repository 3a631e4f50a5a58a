import { createHash } from 'node:crypto';
import type { Sealer } from '../../auth/sealer.ts';
import { refuse } from '../../oci/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CommandWriter } from '../../ports/commands.ts';
import type { Reply } from './reply.ts';

/** Answers of creates with an `Idempotency-Key`, kept sealed for a day: they may hold a secret. */
export class Idempotency {
  readonly #deps: { writer: CommandWriter; sealer: Sealer; clock: Clock };

  constructor(deps: { writer: CommandWriter; sealer: Sealer; clock: Clock }) {
    this.#deps = deps;
  }

  /** Does `work`, or gives what it gave when this caller sent the same key and content to this route. */
  async once(
    request: { key: string; caller: string; route: string; content: string },
    work: () => Promise<Reply | undefined>,
  ): Promise<Reply | undefined> {
    if (!/^[\x21-\x7e]{1,255}$/.test(request.key)) {
      throw refuse(
        'invalid',
        'The Idempotency-Key must have 1 to 255 visible ASCII characters.',
        'Use a random UUID.',
      );
    }
    const { writer, sealer, clock } = this.#deps;
    const key = hash(`${request.caller}\n${request.route}\n${request.key}`);
    const context = `idempotency:${key}`;
    const begun = await writer.run('BeginIdempotent', {
      key,
      requestHash: hash(request.content),
      now: clock.now(),
    });
    if (begun.answer) {
      const reply = JSON.parse(sealer.unseal(begun.answer.sealed, context)) as Reply;
      return { ...reply, headers: { ...reply.headers, 'Idempotency-Replayed': 'true' } };
    }
    try {
      const reply = await work();
      const answer = reply && {
        status: reply.status,
        sealed: sealer.seal(JSON.stringify(reply), context),
      };
      await writer.run('EndIdempotent', { key, answer });
      return reply;
    } catch (error) {
      await writer.run('EndIdempotent', { key, answer: undefined }).catch(() => {});
      throw error;
    }
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
