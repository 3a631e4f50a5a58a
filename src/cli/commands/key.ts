import { type Command, Option } from 'commander';
import type { KeyPurpose, KeyRotationView } from '../../projects/admin-methods.ts';
import { group, leaf, type Run } from '../command.ts';
import { fields, table, time } from '../table.ts';

const purposes = ['registry-token', 'upload-url', 'issuer', 'sealing', 'cursor'];

export function addKeyCommands(admin: Command, run: Run): void {
  const key = group(admin, 'key', "the installation's own keys");

  leaf(
    key,
    'list',
    'which keys there are, newest first; never the keys themselves',
    'key list',
  ).action(async (options: { json?: boolean }) => {
    await run(options, 'key.list', {}, ({ keys }) =>
      table(
        ['PURPOSE', 'ID', 'CREATED', 'RETIRED'],
        keys.map((one) => [one.purpose, one.id, time(one.createdAt), time(one.retiredAt) ?? '']),
        'There are no keys yet: the first start makes them.',
      ),
    );
  });

  leaf(
    key,
    'rotate',
    'make a new key; running servers take it up by themselves',
    'key rotate --purpose issuer',
    'key rotate --purpose registry-token --now',
  )
    .addOption(
      new Option('--purpose <purpose>', 'what it is for').choices(purposes).makeOptionMandatory(),
    )
    .option(
      '--now',
      'at once: the old keys, and all that they signed, are good for nothing any more',
    )
    .action(async ({ purpose, now, json }: { purpose: KeyPurpose; now?: true; json?: boolean }) => {
      const output = json === undefined ? {} : { json };
      await run(output, 'key.rotate', { purpose, ...(now && { now }) }, show);
    });
}

function show({ purpose, id, signsAt, retiredAt }: KeyRotationView): string {
  return fields({
    key: id,
    purpose,
    'signs from': time(signsAt),
    'old keys verify until': retiredAt === undefined ? 'for ever' : time(retiredAt),
  });
}
