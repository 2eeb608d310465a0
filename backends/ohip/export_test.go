package ohip

import "context"

// AllRooms returns copies of the rooms that q asks for.
func (c *Client) AllRooms(ctx context.Context, q RoomQuery) ([]Room, error) {
	var all []Room
	err := c.Rooms(ctx, q, func(page []Room) {
		for i := range page {
			all = append(all, *page[i].clone())
		}
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
