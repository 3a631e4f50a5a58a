import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bridgeName, egressPrefix, interfacePrefix, searchStart } from './network-names.ts';
import { firstFree, formatRange4, parseRange4, placesOf, routedRanges } from './subnet-pool.ts';

const range = (text: string) => {
  const parsed = parseRange4(text);
  assert.ok(parsed, text);
  return parsed;
};

test('A range is an address with no bit set beyond its length', () => {
  assert.equal(formatRange4(range('10.213.0.0/16')), '10.213.0.0/16');
  assert.equal(formatRange4(range('255.255.255.240/28')), '255.255.255.240/28');
  for (const wrong of ['10.213.0.1/16', '256.0.0.0/8', '10.0.0.0/33', '10.0.0/8', 'fd00::/8', ''])
    assert.equal(parseRange4(wrong), undefined, wrong);
});

test('The first free subnet is searched for round the pool, and a used-up pool has none', () => {
  const pool = range('10.213.0.0/26');
  const free = (from: number, taken: string[]) => {
    const found = firstFree(pool, 28, from, taken.map(range));
    return found && formatRange4(found);
  };
  assert.equal(free(2, []), '10.213.0.32/28');
  assert.equal(free(3, ['10.213.0.48/28']), '10.213.0.0/28');
  // A wider neighbour takes several, a narrower one the subnet that it lies in.
  assert.equal(free(0, ['10.213.0.0/27']), '10.213.0.32/28');
  assert.equal(free(0, ['10.213.0.5/32', '192.168.0.0/16']), '10.213.0.16/28');
  assert.equal(free(1, ['10.213.0.0/16']), undefined);
  assert.equal(placesOf(28), 13);
});

test('Routes that are narrower than the pool keep their addresses', () => {
  const text = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    'tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0',
    'br0\t0003D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    '',
  ].join('\n');
  const found = routedRanges(text, range('10.213.0.0/16')).map(formatRange4);
  assert.deepEqual(found, ['192.0.2.0/24', '10.213.3.0/24']);
});

test('A route through another machine may be the way to an engine there', () => {
  const text = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    'eth0\t0000D50A\t010200C0\t0003\t0\t0\t0\t0080FFFF\t0\t0\t0',
    'br0\t0080D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  ].join('\n');
  const pool = range('10.213.0.0/16');
  const both = ['10.213.0.0/17', '10.213.128.0/24'];
  assert.deepEqual(routedRanges(text, pool).map(formatRange4), both);
  const own = routedRanges(text, pool, { gateways: false });
  assert.deepEqual(own.map(formatRange4), ['10.213.128.0/24']);
});

test('A bridge is named by its installation, its way out and its project, in 15 characters', () => {
  const name = bridgeName('inst_a', 'prj_1', 'public', 0);
  assert.match(name, /^gt[a-z2-7]{4}p[a-z2-7]{8}$/);
  assert.ok(name.startsWith(egressPrefix('inst_a', 'public')));
  const others = [
    bridgeName('inst_b', 'prj_1', 'public', 0),
    bridgeName('inst_a', 'prj_2', 'public', 0),
    bridgeName('inst_a', 'prj_1', 'open', 0),
    bridgeName('inst_a', 'prj_1', 'public', 1),
  ];
  assert.equal(new Set([name, ...others]).size, 5);
  assert.notEqual(interfacePrefix('inst_a'), interfacePrefix('inst_b'));
  assert.ok(searchStart(name, 7) < 7);
});
