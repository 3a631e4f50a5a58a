import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkVerdict } from './network-verdict.ts';

const missing = ['GPUs: none.', 'Networks of functions are not guarded: nft is missing.'];

test('Without a guard an image from outside the team is refused, and one of its own runs with a warning', () => {
  const bare = { networkGuard: false, missing };
  const own = networkVerdict(bare, { teamId: 'team_a' }, { teamId: 'team_a' });
  assert.ok(own.allowed && own.warning?.includes('nft is missing'));
  const foreign = networkVerdict(bare, { teamId: 'team_b' }, { teamId: 'team_a' });
  assert.ok(!foreign.allowed && foreign.hint.includes('nft is missing'));
});

test('With a guard both run', () => {
  const guarded = { networkGuard: true, missing: [] };
  for (const teamId of ['team_a', 'team_b'])
    assert.deepEqual(networkVerdict(guarded, { teamId }, { teamId: 'team_a' }), { allowed: true });
});
