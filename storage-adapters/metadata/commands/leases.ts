import { refuse } from '../../../src/oci/errors.ts';
import type { Fence } from '../../../src/ports/leases.ts';
import { type Executor, query } from '../database.ts';
import type { Command } from './command.ts';

/** Another's lease is left alone unless its time is over; a new holder gets a new epoch. */
const acquire = query<
  { name: string; holder: string; ttlMs: number; address: string | null },
  { epoch: number }
>((db, p, { now }) =>
  db
    .insertInto('leases')
    .values((e) => ({
      name: p('name'),
      holder: p('holder'),
      epoch: 1,
      expires_at: e(now, '+', p('ttlMs')),
      address: p('address'),
      address_of: p('holder'),
    }))
    .onConflict((c) =>
      c
        .column('name')
        .doUpdateSet((e) => ({
          holder: e.ref('excluded.holder'),
          epoch: e
            .case()
            .when('leases.holder', '=', e.ref('excluded.holder'))
            .then(e.ref('leases.epoch'))
            .else(e('leases.epoch', '+', 1))
            .end(),
          expires_at: e.ref('excluded.expires_at'),
          address: e.ref('excluded.address'),
          address_of: e.ref('excluded.address_of'),
        }))
        .where((e) =>
          e.or([
            e('leases.holder', '=', e.ref('excluded.holder')),
            e('leases.expires_at', '<=', now),
          ]),
        ),
    )
    .returning('leases.epoch'),
);
const release = query<{ name: string; holder: string }>((db, p) =>
  db
    .updateTable('leases')
    .set({ expires_at: 0 })
    .where('name', '=', p('name'))
    .where('holder', '=', p('holder')),
);
const current = query<{ name: string; epoch: number }, { epoch: number }>((db, p) =>
  db
    .selectFrom('leases')
    .select('epoch')
    .where('name', '=', p('name'))
    .where('epoch', '=', p('epoch')),
);

export const acquireLease: Command<'AcquireLease'> = async (tx, { address, ...args }) =>
  acquire.get(tx, { ...args, address: address ?? null });

export const releaseLease: Command<'ReleaseLease'> = async (tx, args) => {
  await release.run(tx, args);
  return null;
};

/** Refuses a leader that was taken over from: in the transaction of what it would write. */
export async function checkFence(tx: Executor, { name, epoch }: Fence): Promise<void> {
  if (await current.get(tx, { name, epoch })) return;
  throw refuse('conflict', 'Another replica leads now.');
}
