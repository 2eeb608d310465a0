// want: after a while
export default async () => { await null; throw new Error('after a while'); };
