"""`/echo` of this repository as a Django app: no middleware, no template engine, no database, no log."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

from echo import echo

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=['*'],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    INSTALLED_APPS=[],
    LOGGING_CONFIG=None,
)


def echo_view(request):
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = request.META['QUERY_STRING']
    text = echo(
        request.method, request.path, query, request.get_host(), headers, request.COOKIES, request.body
    )
    return HttpResponse(text, content_type='application/json', headers={'Cache-Control': 'no-store'})


urlpatterns = [path('echo', echo_view)]
application = get_wsgi_application()
