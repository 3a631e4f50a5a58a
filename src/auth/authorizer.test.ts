import assert from 'node:assert/strict';
import test from 'node:test';
import type { Grant, Identity } from '../ports/identity.ts';
import type { Action } from '../ports/trust-policies.ts';
import { anonymous, catalogScopes, mayAct, type Place } from './authorizer.ts';

const place = (more: Partial<Place> = {}): Place => ({
  teamId: 'team_1',
  projectId: 'prj_1',
  visibility: 'private',
  ...more,
});
const grant = (actions: readonly Action[], projectIds?: readonly string[]): Grant => ({
  teamId: 'team_1',
  projectIds,
  actions,
});
const holder = (...grants: Grant[]): Identity => ({ ...anonymous, kind: 'token', grants });

test('who may do what where', () => {
  const cases: [string, Identity, Place, Action[]][] = [
    ['anonymous, private', anonymous, place(), []],
    ['anonymous, public', anonymous, place({ visibility: 'public' }), ['pull']],
    ['reader', holder(grant(['pull'])), place(), ['pull']],
    ['writer', holder(grant(['pull', 'push'])), place(), ['pull', 'push']],
    ['admin', holder(grant(['pull', 'push', 'delete'])), place(), ['pull', 'push', 'delete']],
    ['pusher that may not pull', holder(grant(['push'])), place(), ['push']],
    [
      'pusher that may not pull, public',
      holder(grant(['push'])),
      place({ visibility: 'public' }),
      ['pull', 'push'],
    ],
    ['another team', holder(grant(['pull', 'push'])), place({ teamId: 'team_2' }), []],
    [
      'another team, public',
      holder(grant(['pull', 'push', 'delete'])),
      place({ teamId: 'team_2', visibility: 'public' }),
      ['pull'],
    ],
    ['named project', holder(grant(['pull'], ['prj_1'])), place(), ['pull']],
    ['another project', holder(grant(['pull'], ['prj_2'])), place(), []],
    ['no project at all', holder(grant(['pull'], [])), place(), []],
    [
      'two grants add up',
      holder(grant(['pull'], ['prj_2']), grant(['push'], ['prj_1'])),
      place(),
      ['push'],
    ],
  ];
  for (const [name, identity, where, expected] of cases) {
    const may = (['pull', 'push', 'delete'] as const).filter((action) =>
      mayAct(identity, where, action),
    );
    assert.deepEqual(may, expected, name);
  }
});

test('the catalog shows what may be pulled', () => {
  assert.deepEqual(catalogScopes(anonymous), []);
  const identity = holder(grant(['pull'], ['prj_1']), grant(['push']), grant(['pull', 'delete']));
  assert.deepEqual(catalogScopes(identity), [
    { teamId: 'team_1', projectIds: ['prj_1'] },
    { teamId: 'team_1', projectIds: undefined },
  ]);
});
