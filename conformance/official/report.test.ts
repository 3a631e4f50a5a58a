import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReport } from './report.ts';

test('reads counts, names, states and messages', () => {
  const report = parseReport(`<testsuites time="1" tests="9" failures="9">
  <testsuite name="All" tests="5" failures="1" errors="0" skipped="2" disabled="1">
    <properties><property name="Config" value="tests=&quot;7&quot;"></property></properties>
    <testcase name="All/a" classname="" status="passed"><system-err>status: x</system-err></testcase>
    <testcase name="All/&lt;b&gt;" status="failure"><system-out>expected &#34;1&#34;&#xA;got 2</system-out></testcase>
    <testcase name="All/c" status="skipped"><system-err>left out</system-err></testcase>
  </testsuite>
</testsuites>`);
  assert.deepEqual(report.counts, { tests: 5, failures: 1, errors: 0, skipped: 2, disabled: 1 });
  assert.deepEqual(report.cases, [
    { name: 'All/a', status: 'passed', message: undefined },
    { name: 'All/<b>', status: 'failure', message: 'expected "1"\ngot 2' },
    { name: 'All/c', status: 'skipped', message: undefined },
  ]);
});

test('refuses what is no report', () => {
  assert.throws(() => parseReport('<html></html>'), /no testsuite/);
});
