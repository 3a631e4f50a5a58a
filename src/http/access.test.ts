import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import type { Session } from '../auth/authenticator.ts';
import { anonymous, type Place } from '../auth/authorizer.ts';
import type { Access } from '../auth/registry-tokens.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Identity } from '../ports/identity.ts';
import type { Action } from '../ports/trust-policies.ts';
import { requireAccess } from './access.ts';
import { toErrorResponse } from './errors.ts';

const name = 'acme/shop/web';
const actions: readonly Action[] = ['pull', 'push', 'delete'];
const place = (teamId: string, visibility: Place['visibility']): Place => ({
  teamId,
  projectId: 'prj_1',
  visibility,
});
/** Where a request may lead; a repository that is not there yet has its project's place. */
const places: Record<string, Place | undefined> = {
  own: place('team_1', 'private'),
  'own, public': place('team_1', 'public'),
  foreign: place('team_2', 'private'),
  'foreign, public': place('team_2', 'public'),
  absent: undefined,
};

function holder(may: readonly Action[], projectIds?: string[]): Identity {
  const grants = [{ teamId: 'team_1', projectIds, actions: may }];
  return { ...anonymous, id: 'tok_1', kind: 'token', actor: 'ci', grants };
}
const session = (identity: Identity, access?: readonly Access[], expired = false): Session => ({
  identity,
  access,
  expired,
});
const repository = (allowed: readonly Action[], of = name): Access[] => [
  { type: 'repository', name: of, actions: allowed },
];

/** 200 for allowed, else what the client gets, without its own words in it. */
function outcome(who: Session, where: Place | undefined, action: Action) {
  try {
    requireAccess(who, name, where, action);
    return { status: 200, body: '' };
  } catch (error) {
    assert.ok(error instanceof RegistryError, String(error));
    const { status, body } = toErrorResponse(error.info);
    return { status, body };
  }
}

/** Statuses for pull, push and delete, by place. */
type Row = Record<keyof typeof places, readonly [number, number, number]>;

function check(who: Session, expected: Row): void {
  for (const [where, statuses] of Object.entries(expected)) {
    const got = actions.map((action) => outcome(who, places[where], action).status);
    assert.deepEqual(got, statuses, where);
  }
}

const [ok, ask, denied, unknown] = [200, 401, 403, 404];
const nothing = [ask, ask, ask] as const;
const hidden = [unknown, unknown, unknown] as const;
const seen = [ok, denied, denied] as const;
const all = [ok, ok, ok] as const;

describe('credentials that came with the request', () => {
  test('none', () => {
    check(session(anonymous), {
      own: nothing,
      'own, public': [ok, ask, ask],
      foreign: nothing,
      'foreign, public': [ok, ask, ask],
      absent: nothing,
    });
  });

  const strangers = { foreign: hidden, 'foreign, public': seen, absent: hidden };
  const cases: [string, Identity, Row][] = [
    ['that may pull', holder(['pull']), { own: seen, 'own, public': seen, ...strangers }],
    [
      'that may push',
      holder(['pull', 'push']),
      { own: [ok, ok, denied], 'own, public': [ok, ok, denied], ...strangers },
    ],
    ['that may all', holder(actions), { own: all, 'own, public': all, ...strangers }],
    [
      'that may push and not pull',
      holder(['push']),
      { own: [unknown, ok, unknown], 'own, public': [ok, ok, denied], ...strangers },
    ],
    [
      'of another project',
      holder(actions, ['prj_2']),
      { own: hidden, 'own, public': seen, ...strangers },
    ],
    ['of no project', holder(actions, []), { own: hidden, 'own, public': seen, ...strangers }],
    ['without a grant', holder([]), { own: hidden, 'own, public': seen, ...strangers }],
  ];
  for (const [title, identity, expected] of cases)
    test(title, () => check(session(identity), expected));
});

describe('a registry token', () => {
  const writer = holder(['pull', 'push']);

  test('that allows all: as if the credentials had come', () => {
    const who = session(writer, repository(actions));
    for (const where of Object.values(places))
      for (const action of actions)
        assert.deepEqual(outcome(who, where, action), outcome(session(writer), where, action));
  });

  test('that allows less than its holder may: another one has to be asked for', () => {
    const tokens: [Access[], Row][] = [
      [
        repository(['pull']),
        {
          own: [ok, ask, denied],
          'own, public': [ok, ask, denied],
          foreign: hidden,
          'foreign, public': seen,
          absent: hidden,
        },
      ],
      [
        [],
        {
          own: [ask, ask, denied],
          'own, public': [ask, ask, denied],
          foreign: hidden,
          'foreign, public': [ask, denied, denied],
          absent: hidden,
        },
      ],
    ];
    for (const [access, expected] of tokens) check(session(writer, access), expected);
  });

  test('that allows more than its holder may (now): the holder counts', () => {
    check(session(holder(['pull']), repository(actions)), {
      own: seen,
      'own, public': seen,
      foreign: hidden,
      'foreign, public': seen,
      absent: hidden,
    });
  });

  test('for another repository allows nothing here', () => {
    const others = [
      repository(actions, 'acme/shop/web2'),
      repository(actions, 'acme/shop'),
      repository(actions, 'acme/shop/WEB'),
      repository(actions, 'acme/shop/*'),
      [{ type: 'registry', name, actions: ['*', ...actions] }] satisfies Access[],
      repository(['*' as Action]),
    ];
    for (const access of others)
      assert.equal(outcome(session(writer, access), places.own, 'pull').status, ask);
  });

  test("of an anonymous caller: public repositories, by the token's word", () => {
    check(session(anonymous, repository(['pull'])), {
      own: nothing,
      'own, public': [ok, ask, ask],
      foreign: nothing,
      'foreign, public': [ok, ask, ask],
      absent: nothing,
    });
    check(session(anonymous, []), {
      own: nothing,
      'own, public': nothing,
      foreign: nothing,
      'foreign, public': nothing,
      absent: nothing,
    });
  });

  test('that has run out allows nothing, whatever it was for', () => {
    for (const identity of [anonymous, holder(actions)])
      for (const access of [[], repository(actions)])
        for (const where of Object.values(places))
          for (const action of actions)
            assert.equal(outcome(session(identity, access, true), where, action).status, ask);
  });
});

test('A1, A2: absent and foreign are refused in the same words', () => {
  const sessions = [
    session(anonymous),
    session(anonymous, []),
    session(anonymous, repository(actions)),
    session(holder(actions)),
    session(holder(actions, ['prj_2'])),
    session(holder(actions), []),
    session(holder(actions), repository(actions)),
    session(holder(actions), repository(actions), true),
  ];
  for (const who of sessions)
    for (const action of actions) {
      const absent = outcome(who, places.absent, action);
      assert.notEqual(absent.status, ok);
      assert.deepEqual(outcome(who, places.foreign, action), absent);
    }
});

test('who may pull is told why not more, and what would help', () => {
  const reader = session(holder(['pull']));
  const push = outcome(reader, places.own, 'push').body;
  assert.match(push, /ci may pull from acme\/shop\/web, but may not push to it.*scope write/);
  const remove = outcome(reader, places.own, 'delete').body;
  assert.match(remove, /may not delete from it.*scope admin/);
});
