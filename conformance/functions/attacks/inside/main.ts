/** Runs one attack after the other, in the network of the engine. */
import { type AttackPlace, type FromInside, placeVariable, type ToInside } from '../bench.ts';
import { attacks } from './attacks.ts';
import { Inside } from './inside.ts';

const place = JSON.parse(process.env[placeVariable] ?? '') as AttackPlace;
const inside = new Inside(place);
let last: Promise<unknown> = Promise.resolve();

process.on('message', ({ id, title }: ToInside) => {
  last = last
    .then(async () => {
      await using scope = inside.scope();
      await attacks[title]!.run(scope);
    })
    .then(
      () => undefined,
      (error: Error) => error.stack ?? String(error),
    )
    .then((failed) => process.send!({ id, failed } satisfies FromInside));
});
process.once('disconnect', async () => {
  await last;
  await inside.close();
  process.exit(0);
});
