"""The little that this process asks of the API server: one Secret, two configurations.

The official client costs half a second of start-up and tens of megabytes for four calls, so they
are made on asyncio streams and the HTTP parser that the server uses anyway
(docs/decisions/webhook-api-client.md). None of it is in the path of a review.
"""
