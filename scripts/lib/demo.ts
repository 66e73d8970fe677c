/** The demo's contents, put in through the API as anybody would: two campaigns; and the cron ticks that nobody else gives. */

const KEY = { authorization: 'Bearer ot_demo', 'content-type': 'application/json' } as const;

export const CAMPAIGNS = [
  {
    id: 'welcome',
    name: 'Welcome',
    trigger: 'signup.converted',
    channel: 'sms',
    sender: '+18005550100',
    body: 'Hi {{ first_name }}, welcome to Harbor Bank! Reply STOP to opt out.',
    state: 'live',
  },
  {
    id: 'card-active',
    name: 'Card activated',
    trigger: 'card.activated',
    channel: 'mms',
    sender: '+18005550100',
    body: 'Hi {{ first_name }}, your Harbor Bank card is ready to use. Reply STOP to opt out.',
    media_urls: ['https://media.harbor-bank.example/cards/active.png'],
    state: 'live',
  },
] as const;

/** Waits until the Worker answers. @returns false where the time ran out. */
export async function untilHealthy(base: string, deadline: number): Promise<boolean> {
  while (Date.now() < deadline) {
    const response = await fetch(`${base}/health`, { signal: AbortSignal.timeout(5000) }).catch(() => null);
    await response?.body?.cancel();
    if (response?.ok) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

/** Creates the campaigns that are missing; one that somebody changed stays as it is. */
export async function seedCampaigns(base: string): Promise<void> {
  for (const { id, ...campaign } of CAMPAIGNS) {
    const url = `${base}/v1/campaigns/${id}`;
    const found = await fetch(url, { headers: KEY });
    await found.body?.cancel();
    if (found.status !== 404) continue;
    const put = await fetch(url, { method: 'PUT', headers: KEY, body: JSON.stringify(campaign) });
    if (!put.ok) throw new Error(`Campaign ${id} was refused: ${await put.text()}`);
    await put.body?.cancel();
  }
}

/** One cron run. Locally cron never fires by itself. */
export async function tick(base: string): Promise<void> {
  const response = await fetch(`${base}/cdn-cgi/local/scheduled?cron=${encodeURIComponent('* * * * *')}`, {
    signal: AbortSignal.timeout(60_000),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`The cron run answered ${response.status}.`);
}
