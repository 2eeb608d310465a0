// want: awaits something that this runner never settles
export default async () => { await new Promise(() => {}); };
