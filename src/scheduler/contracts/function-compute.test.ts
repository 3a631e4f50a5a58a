import assert from 'node:assert/strict';
import test from 'node:test';
import type { StartFailure } from './contract.ts';
import { credentials, placeOf, requestOf } from './contract-test-kit.ts';
import { functionCompute } from './function-compute.ts';

test('port 9000, one request at a time', () => {
  assert.deepEqual([functionCompute.defaultPort, functionCompute.defaultConcurrency], [9000, 1]);
});

const common = {
  host: 'shop.functions.example:8443',
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-host': 'shop.functions.example:8443',
  'x-forwarded-proto': 'https',
  'x-real-ip': '203.0.113.9',
  'x-gantry-id': 'req_1',
  'x-fc-request-id': 'req_1',
  'x-fc-function-name': 'web',
  'x-fc-function-handler': 'index.handler',
  'x-fc-function-memory': '512',
  'x-fc-service-name': 'shop',
  'x-fc-region': 'eu-central-1',
  'x-fc-account-id': 'team_1',
  'x-fc-qualifier': 'preview',
  'x-fc-version-id': 'dpl_1',
  'x-fc-access-key-id': 'key-id',
  'x-fc-access-key-secret': 'key-secret',
  'x-fc-security-token': 'security-token',
};

for (const [kind, path] of [
  ['http', '/http-invoke'],
  ['event', '/invoke'],
  ['initialize', '/initialize'],
] as const) {
  test(`common request headers: ${kind}`, () => {
    assert.deepEqual(functionCompute.requestHeaders(requestOf(kind), placeOf(), credentials), {
      ...common,
      'x-fc-control-path': path,
    });
  });
}

test('the handler is the service’s, where it has one', () => {
  const place = placeOf({ handler: 'main.run' });
  const headers = functionCompute.requestHeaders(requestOf(), place, credentials);
  assert.equal(headers['x-fc-function-handler'], 'main.run');
  const { FC_FUNCTION_HANDLER } = functionCompute.environment(place, credentials);
  assert.equal(FC_FUNCTION_HANDLER, 'main.run');
});

test('what a container finds in its environment', () => {
  assert.deepEqual(functionCompute.environment(placeOf({}, 9000), credentials), {
    PORT: '9000',
    FC_SERVER_PORT: '9000',
    FC_CUSTOM_LISTEN_PORT: '9000',
    FC_FUNCTION_NAME: 'web',
    FC_FUNCTION_HANDLER: 'index.handler',
    FC_FUNCTION_MEMORY_SIZE: '512',
    FC_SERVICE_NAME: 'shop',
    FC_ACCOUNT_ID: 'team_1',
    FC_REGION: 'eu-central-1',
    FC_QUALIFIER: 'preview',
    FC_VERSION_ID: 'dpl_1',
    FC_INSTANCE_ID: 'ins_1',
    ALIBABA_CLOUD_ACCESS_KEY_ID: 'key-id',
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'key-secret',
    ALIBABA_CLOUD_SECURITY_TOKEN: 'security-token',
    GANTRY_OIDC_TOKEN: 'jwt',
  });
});

const failure: StartFailure = {
  durationNs: 25_000_000_000n,
  dial: 'dial tcp 21.0.XX.XX:9000: getsockopt: connection refused',
  reason: 'loopback-only',
  exitCode: undefined,
  logs: [
    { at: Date.UTC(2019, 10, 29, 9, 53, 30, 859), nanos: 837_462, text: 'Listening on port 9000' },
  ],
};

/** The document in which the answer ends with the connection's error. */
const plainDocument = `{
  "ErrorCode": "FunctionNotStarted",
  "ErrorMessage": "The CA's http server cannot be started: ContainerStartDuration: 25000000000. Ping CA failed due to: dial tcp 21.0.XX.XX:9000: getsockopt: connection refused"
}`;

/** The document in which the container's lines follow; it has lost its blanks on the way to the page. */
const documentWithLogs =
  '{ "ErrorCode":"FunctionNotStarted", "ErrorMessage":"TheCA\'shttpservercannotbestarted:ContainerStartDuration:25000000000.PingCAfaileddueto:dialtcp21.0.XX.XX:9000:getsockopt:connectionrefusedLogs:2019-11-29T09:53:30.859837462ZListeningonport9000" }';

test('FunctionNotStarted without logs, as documented', () => {
  const { service } = placeOf({ logsInErrors: false });
  const answer = functionCompute.startFailure(failure, service);
  assert.equal(answer.status, 502);
  assert.deepEqual(answer.headers, { 'content-type': 'application/json' });
  assert.equal(
    answer.body,
    `{"ErrorCode":"FunctionNotStarted","ErrorMessage":"The CA's http server cannot be started: ContainerStartDuration: 25000000000. Ping CA failed due to: dial tcp 21.0.XX.XX:9000: getsockopt: connection refused"}`,
  );
  assert.equal(answer.body, JSON.stringify(JSON.parse(plainDocument)));
  // A container that said nothing has nothing to be quoted.
  assert.equal(
    functionCompute.startFailure({ ...failure, logs: [] }, placeOf().service).body,
    answer.body,
  );
});

test('FunctionNotStarted with the last lines, as documented', () => {
  const { body } = functionCompute.startFailure(failure, placeOf().service);
  assert.equal(
    body,
    `{"ErrorCode":"FunctionNotStarted","ErrorMessage":"The CA's http server cannot be started: ContainerStartDuration: 25000000000. Ping CA failed due to: dial tcp 21.0.XX.XX:9000: getsockopt: connection refused Logs: 2019-11-29T09:53:30.859837462Z Listening on port 9000"}`,
  );
  assert.equal(body.replace(/\s/g, ''), documentWithLogs.replace(/\s/g, ''));
});

test('lines are stamped to the nanosecond, whatever their time', () => {
  const logs = [
    { at: 0, text: 'a' },
    { at: 1_999, nanos: 1, text: 'b' },
    { at: 1_700_000_000_123, text: 'c' },
  ];
  const { body } = functionCompute.startFailure({ ...failure, logs }, placeOf().service);
  const { ErrorMessage } = JSON.parse(body);
  assert.deepEqual(ErrorMessage.split(' Logs: ')[1].split('\n'), [
    '1970-01-01T00:00:00.000000000Z a',
    '1970-01-01T00:00:01.999000001Z b',
    '2023-11-14T22:13:20.123000000Z c',
  ]);
});

test('x-fc-status: 404 says that the function failed, whatever the status', () => {
  assert.equal(functionCompute.isFunctionError(200, { 'x-fc-status': '404' }), true);
  assert.equal(functionCompute.isFunctionError(200, { 'x-fc-status': '200' }), false);
  assert.equal(functionCompute.isFunctionError(404, {}), false);
  assert.equal(functionCompute.isFunctionError(500, {}), true);
});

test('each request is bracketed in the log', () => {
  assert.deepEqual(functionCompute.logBrackets('req_1', 'start'), [
    'FC Invoke Start RequestId: req_1',
  ]);
  assert.deepEqual(functionCompute.logBrackets('req_1', 'end', 12), [
    'FC Invoke End RequestId: req_1',
  ]);
  assert.deepEqual(functionCompute.responseHeaders(requestOf(), placeOf()), {
    'x-fc-request-id': 'req_1',
  });
});
