import { env } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import { optIn, optOut } from '../../src/consent/suppressions.ts';
import { accept, type NewEvent, type NewMessage } from '../../src/ledger/accept.ts';
import { CLOCK_SKEW_MS, claim } from '../../src/ledger/claim.ts';
import { markDeadLetters } from '../../src/ledger/deadletter.ts';
import { applyReceipts } from '../../src/ledger/receipts.ts';
import { type Settlement, settle } from '../../src/ledger/settle.ts';
import { giveUpLeases, release, requeueLost, takeUnknown } from '../../src/ledger/sweep.ts';
import type { ReceiptNote } from '../../src/platform/runtime.ts';
import { call, putCampaign, storedMessage, timeline, unique, uniqueNumber } from '../support.ts';

const NOW = 1_800_000_000_000;
const LEASE = 60_000;
let campaignId: string;

beforeAll(async () => {
  campaignId = (await putCampaign()).id;
});

function row(fields: Partial<NewMessage> = {}): { event: NewEvent; message: NewMessage } {
  const id = unique('msg');
  const event: NewEvent = {
    id: unique('event'),
    source_id: 'test',
    type: 'signup',
    customer_id: 'c',
    occurred_at: NOW,
    received_at: NOW,
    body_hash: 'hash',
    data: '{}',
    inputs: '{}',
    answer: JSON.stringify([{ id, campaign: campaignId, state: 'queued', reason: null }]),
  };
  const message: NewMessage = {
    id,
    event_id: event.id,
    campaign_id: campaignId,
    customer_id: 'c',
    channel: 'sms',
    sender: '+18005550100',
    number: uniqueNumber(),
    body: 'Hi',
    media_urls: '[]',
    decision: '{}',
    state: 'queued',
    reason: null,
    detail: null,
    due_at: NOW,
    expires_at: NOW + 3_600_000,
    created_at: NOW,
    ...fields,
  };
  return { event, message };
}

async function queued(fields: Partial<NewMessage> = {}): Promise<NewMessage> {
  const { event, message } = row(fields);
  await accept(env.DB, unique('acc'), [event], [message]);
  return message;
}

async function sending(claimId = unique('clm')): Promise<{ message: NewMessage; claimId: string }> {
  const message = await queued();
  await claim(env.DB, [message.id], claimId, NOW, NOW + LEASE);
  return { message, claimId };
}

const settlement = (id: string, fields: Partial<Settlement> = {}): Settlement => ({
  id,
  state: 'sent',
  reason: null,
  detail: null,
  dueAt: null,
  provider: 'sandbox',
  providerMessageId: `pid-${id}`,
  ...fields,
});

const note = (
  message: NewMessage,
  state: ReceiptNote['state'],
  reference: string | null = null,
): ReceiptNote => ({
  provider: 'sandbox',
  provider_message_id: `pid-${message.id}`,
  reference,
  state,
  code: null,
  error: null,
  parts: null,
  part: null,
});

describe('accept', () => {
  it('lets one of two requests for the same event win, and tells the other what won', async () => {
    const { event, message } = row();
    const [a, b] = await Promise.all([
      accept(env.DB, 'acc-a', [event], [message]),
      accept(env.DB, 'acc-b', [event], [{ ...message, id: `${message.id}-other` }]),
    ]);
    const loser = a?.get(event.id) ?? b?.get(event.id);
    expect([a?.size, b?.size].sort()).toEqual([0, 1]);
    expect(loser?.bodyHash).toBe('hash');
    const { results } = await env.DB.prepare('SELECT id FROM messages WHERE event_id = ?1')
      .bind(event.id)
      .all();
    expect(results).toHaveLength(1);
  });

  it('may be repeated after a lost response: nothing doubles, and the repetition still wins', async () => {
    const { event, message } = row();
    expect((await accept(env.DB, 'acc-same', [event], [message])).size).toBe(0);
    expect((await accept(env.DB, 'acc-same', [event], [message])).size).toBe(0);
    expect(await timeline(message.id)).toEqual(['queued']);
  });

  it('writes all of a batch or nothing', async () => {
    const good = row();
    const bad = row({ expires_at: null as unknown as number });
    await expect(
      accept(env.DB, 'acc-x', [good.event, bad.event], [good.message, bad.message]),
    ).rejects.toThrow();
    expect(await env.DB.prepare('SELECT 1 FROM events WHERE id = ?1').bind(good.event.id).first()).toBeNull();
  });
});

describe('claim', () => {
  it('is the only licence: of many claims for one message, one gets it', async () => {
    const message = await queued();
    const claims = await Promise.all(
      Array.from({ length: 10 }, (_, i) => claim(env.DB, [message.id], `clm-${i}`, NOW, NOW + LEASE)),
    );
    expect(claims.flat()).toHaveLength(1);
    expect(claims.flat()[0]).toEqual({
      id: message.id,
      channel: 'sms',
      sender: '+18005550100',
      number: message.number,
      body: 'Hi',
      mediaUrls: [],
      expiresAt: message.expires_at,
      attempt: 1,
      attemptOfRound: 1,
      provider: 'sandbox',
      route: ['sandbox'],
      tried: {},
      sendAt: null,
    });
    expect(await storedMessage(message.id)).toMatchObject({
      state: 'sending',
      attempts: 1,
      due_at: NOW + LEASE,
    });
  });

  it('takes a whole batch at once, and an id that stands there twice only once', async () => {
    const messages = await Promise.all(Array.from({ length: 20 }, () => queued()));
    const ids = messages.map((message) => message.id);
    expect(
      await claim(env.DB, [...ids, ...ids, 'msg_unknown'], unique('clm'), NOW, NOW + LEASE),
    ).toHaveLength(20);
  });

  it('leaves what is not due yet', async () => {
    const due = NOW + CLOCK_SKEW_MS + 1;
    const message = await queued({ due_at: due });
    expect(await claim(env.DB, [message.id], unique('clm'), NOW, NOW + LEASE)).toEqual([]);
    expect(await storedMessage(message.id)).toMatchObject({ state: 'queued', attempts: 0 });
    expect(await claim(env.DB, [message.id], unique('clm'), NOW + 1, NOW + LEASE)).toHaveLength(1);
  });

  it('suppresses what has opted out since, and an opt-in lets later messages pass', async () => {
    const message = await queued();
    await optOut(env.DB, { number: message.number ?? '', origin: 'sms', note: null, at: NOW });
    expect(await claim(env.DB, [message.id], unique('clm'), NOW, NOW + LEASE)).toEqual([]);
    expect(await storedMessage(message.id)).toMatchObject({
      state: 'suppressed',
      reason: 'opted_out',
      due_at: null,
    });
    await optIn(env.DB, { number: message.number ?? '', origin: 'sms', note: null, at: NOW });
    expect(await claim(env.DB, [message.id], unique('clm'), NOW, NOW + LEASE)).toEqual([]);
    const later = await queued({ number: message.number });
    expect(await claim(env.DB, [later.id], unique('clm'), NOW, NOW + LEASE)).toHaveLength(1);
  });

  it('lets a message expire whose time is over', async () => {
    const message = await queued({ expires_at: NOW });
    expect(await claim(env.DB, [message.id], unique('clm'), NOW, NOW + LEASE)).toEqual([]);
    expect(await storedMessage(message.id)).toMatchObject({
      state: 'expired',
      reason: 'expired',
      due_at: null,
    });
  });

  it('holds the messages of a paused campaign and lets them go when it is live again', async () => {
    const paused = await putCampaign();
    const message = await queued({ campaign_id: paused.id });
    await putCampaign({ id: paused.id, trigger: paused.trigger, state: 'paused' });
    expect(await claim(env.DB, [message.id], unique('clm'), NOW, NOW + LEASE)).toEqual([]);
    expect(await storedMessage(message.id)).toMatchObject({
      state: 'held',
      reason: 'campaign_paused',
      due_at: message.expires_at,
    });
    await putCampaign({ id: paused.id, trigger: paused.trigger });
    expect(await release(env.DB, Date.now() + 1000, 100)).toContain(message.id);
    expect(await timeline(message.id)).toEqual(['queued', 'held', 'queued']);
  });

  it('lets a held message expire, and does not forget an opt-out that came meanwhile', async () => {
    const paused = await putCampaign();
    const [expiring, opting] = [
      await queued({ campaign_id: paused.id }),
      await queued({ campaign_id: paused.id }),
    ];
    await putCampaign({ id: paused.id, trigger: paused.trigger, state: 'paused' });
    const ids = [expiring.id, opting.id];
    await claim(env.DB, ids, unique('clm'), NOW, NOW + LEASE);
    await optOut(env.DB, { number: opting.number ?? '', origin: 'sms', note: null, at: NOW });
    const later = expiring.expires_at;
    expect(await release(env.DB, later, 500)).toEqual(expect.arrayContaining(ids));
    await claim(env.DB, ids, unique('clm'), later, later + LEASE);
    expect(await storedMessage(expiring.id)).toMatchObject({ state: 'expired', due_at: null });
    expect(await storedMessage(opting.id)).toMatchObject({ state: 'suppressed', reason: 'opted_out' });
  });

  it('does not send the text of a campaign that was deleted and made anew', async () => {
    const first = await putCampaign();
    const message = await queued({ campaign_id: first.id, created_at: Date.now() - 5000 });
    await call('DELETE', `/v1/campaigns/${first.id}`);
    await putCampaign({ id: first.id, body: 'Something else' });
    expect(await claim(env.DB, [message.id], unique('clm'), NOW, NOW + LEASE)).toEqual([]);
    expect(await storedMessage(message.id)).toMatchObject({ state: 'canceled', reason: 'campaign_deleted' });
  });

  it('cancels the messages of a deleted campaign, also those that it held', async () => {
    const gone = await putCampaign();
    const waiting = await queued({ campaign_id: gone.id });
    const held = await queued({ campaign_id: gone.id });
    await putCampaign({ id: gone.id, trigger: gone.trigger, state: 'paused' });
    await claim(env.DB, [held.id], unique('clm'), NOW, NOW + LEASE);
    await call('DELETE', `/v1/campaigns/${gone.id}`);
    await release(env.DB, Date.now() + 1000, 100);
    await claim(env.DB, [waiting.id, held.id], unique('clm'), NOW, NOW + LEASE);
    for (const { id } of [waiting, held]) {
      expect(await storedMessage(id)).toMatchObject({ state: 'canceled', reason: 'campaign_deleted' });
    }
  });
});

describe('settle', () => {
  it('is for the holder of the claim alone', async () => {
    const { message, claimId } = await sending();
    expect((await settle(env.DB, 'clm-other', [settlement(message.id)], NOW)).ids).toEqual(new Set());
    expect((await storedMessage(message.id)).state).toBe('sending');
    expect((await settle(env.DB, claimId, [settlement(message.id)], NOW)).ids).toEqual(new Set([message.id]));
    expect(await storedMessage(message.id)).toMatchObject({ state: 'sent', due_at: null });
  });

  it('counts also when it comes after the lease has run out: knowing beats unknown', async () => {
    const { message, claimId } = await sending();
    await giveUpLeases(env.DB, NOW + LEASE, 1000, 100);
    expect((await storedMessage(message.id)).state).toBe('unknown');
    await settle(env.DB, claimId, [settlement(message.id)], NOW + LEASE + 1);
    expect(await timeline(message.id)).toEqual(['queued', 'sending', 'unknown', 'sent']);
  });

  it('moves nothing that has gone on already', async () => {
    const { message, claimId } = await sending();
    await settle(env.DB, claimId, [settlement(message.id)], NOW);
    await settle(
      env.DB,
      claimId,
      [settlement(message.id, { state: 'queued', reason: 'provider_busy', dueAt: NOW })],
      NOW,
    );
    expect((await storedMessage(message.id)).state).toBe('sent');
  });

  it('takes a definite “not sent” back to queued, due later', async () => {
    const { message, claimId } = await sending();
    const again = settlement(message.id, {
      state: 'queued',
      reason: 'provider_busy',
      dueAt: NOW + 5000,
      providerMessageId: null,
    });
    await settle(env.DB, claimId, [again], NOW);
    expect(await storedMessage(message.id)).toMatchObject({
      state: 'queued',
      due_at: NOW + 5000,
      provider_message_id: null,
    });
  });
});

describe('receipts', () => {
  it.each<[string, ReceiptNote['state'][][], string]>([
    ['in order', [['sent'], ['delivered']], 'delivered'],
    ['twice', [['delivered'], ['delivered']], 'delivered'],
    ['out of order', [['delivered'], ['sent']], 'delivered'],
    ['all in one batch', [['sent', 'delivered', 'sent']], 'delivered'],
    ['undelivered', [['undelivered']], 'undelivered'],
    ['a late contradiction', [['delivered'], ['undelivered']], 'delivered'],
    ['failed', [['failed'], ['sent']], 'failed'],
  ])('may come %s', async (_, batches, state) => {
    const { message, claimId } = await sending();
    await settle(env.DB, claimId, [settlement(message.id)], NOW);
    for (const batch of batches)
      await applyReceipts(
        env.DB,
        batch.map((s) => note(message, s)),
        NOW,
      );
    expect((await storedMessage(message.id)).state).toBe(state);
  });

  it.each<[string, ReceiptNote['state'][][]]>([
    ['one by one', [['sent'], ['delivered'], ['sent']]],
    ['together', [['delivered', 'sent']]],
  ])('may come before the ledger knows the provider’s id: %s', async (_, batches) => {
    const { message, claimId } = await sending();
    for (const batch of batches)
      await applyReceipts(
        env.DB,
        batch.map((s) => note(message, s)),
        NOW,
      );
    expect((await storedMessage(message.id)).state).toBe('sending');
    await settle(env.DB, claimId, [settlement(message.id)], NOW);
    expect(await timeline(message.id)).toEqual(['queued', 'sending', 'sent', 'delivered']);
    const left = await env.DB.prepare('SELECT 1 FROM receipts WHERE provider_message_id = ?1')
      .bind(`pid-${message.id}`)
      .first();
    expect(left).toBeNull();
  });

  it('resolve an unknown outcome by our own reference', async () => {
    const { message } = await sending();
    await giveUpLeases(env.DB, NOW + LEASE, 1000, 100);
    await applyReceipts(env.DB, [note(message, 'delivered', message.id)], NOW + LEASE);
    expect(await storedMessage(message.id)).toMatchObject({
      state: 'delivered',
      provider_message_id: `pid-${message.id}`,
    });
  });

  it('for one message under two provider ids, in one batch: the furthest counts', async () => {
    const { message } = await sending();
    await giveUpLeases(env.DB, NOW + LEASE, 1000, 100);
    const other = { ...note(message, 'sent', message.id), provider_message_id: `other-${message.id}` };
    await applyReceipts(env.DB, [note(message, 'delivered', message.id), other], NOW + LEASE);
    expect((await storedMessage(message.id)).state).toBe('delivered');
  });

  it('can’t move a message that was never given to a provider', async () => {
    const message = await queued();
    await applyReceipts(env.DB, [note(message, 'delivered', message.id)], NOW);
    expect((await storedMessage(message.id)).state).toBe('queued');
  });
});

describe('sweep', () => {
  it('finds queued messages that lost their pointer, after the grace time, once a grace time', async () => {
    const message = await queued();
    expect(await requeueLost(env.DB, NOW + 999, 1000, 500)).not.toContain(message.id);
    expect(await requeueLost(env.DB, NOW + 1000, 1000, 500)).toContain(message.id);
    expect(await requeueLost(env.DB, NOW + 1001, 1000, 500)).not.toContain(message.id);
    expect(await requeueLost(env.DB, NOW + 2000, 1000, 500)).toContain(message.id);
    expect(await timeline(message.id)).toEqual(['queued']);
  });

  it('gives each row to one of two sweepers that run at once', async () => {
    const messages = await Promise.all(Array.from({ length: 10 }, () => queued()));
    const runs = await Promise.all([1, 2, 3].map(() => requeueLost(env.DB, NOW + 5000, 1000, 500)));
    const mine = runs.flat().filter((id) => messages.some((message) => message.id === id));
    expect(mine).toHaveLength(10);
  });

  it('calls a message unknown whose worker died, and asks later each time', async () => {
    const { message } = await sending();
    await giveUpLeases(env.DB, NOW + LEASE - 1, 1000, 100);
    expect((await storedMessage(message.id)).state).toBe('sending');
    await giveUpLeases(env.DB, NOW + LEASE, 1000, 100);
    expect(await storedMessage(message.id)).toMatchObject({
      state: 'unknown',
      reason: 'lease_expired',
      due_at: NOW + LEASE + 1000,
    });
    let at = NOW + LEASE + 1000;
    for (const [ask, wait] of [
      [1, 1000],
      [2, 2000],
      [3, 4000],
    ] as const) {
      const taken = await takeUnknown(env.DB, at, 1000, unique('clm'), 100);
      expect(taken.find((item) => item.id === message.id)).toMatchObject({
        asks: ask,
        attempts: 1,
        resendUnknown: false,
      });
      expect((await storedMessage(message.id)).due_at).toBe(at + wait);
      at += wait;
    }
  });
});

describe('dead letters', () => {
  it('are marked, stay queued, and are swept up again', async () => {
    const message = await queued();
    await markDeadLetters(env.DB, [message.id], NOW + 10);
    expect(await storedMessage(message.id)).toMatchObject({ state: 'queued', reason: 'dead_lettered' });
    expect(await requeueLost(env.DB, NOW + 1010, 1000, 500)).toContain(message.id);
    expect(await claim(env.DB, [message.id], unique('clm'), NOW + 1010, NOW + LEASE)).toHaveLength(1);
  });

  it('change nothing about messages that went on', async () => {
    const { message } = await sending();
    await markDeadLetters(env.DB, [message.id], NOW + 10);
    expect(await storedMessage(message.id)).toMatchObject({ state: 'sending', reason: null });
  });
});
