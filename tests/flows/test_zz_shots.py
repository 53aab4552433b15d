from playwright.sync_api import expect
from tests.flows.test_commands import link, composer
def test_shots(stage, model, open_browser):
    model.reply = lambda body: "Shortbread, always shortbread."
    for dark in (False, True):
        for phone in (False, True):
            page = open_browser(f"/rooms/{stage.room.pk}/", user=stage.member, phone=phone, dark=dark)
            page.set_viewport_size({"width": 390 if phone else 1280, "height": 800})
            if not dark and not phone:
                composer(page).fill("/ask What goes with tea?"); page.keyboard.press("Enter")
                expect(page.locator("#messages")).to_contain_text("Shortbread")
                composer(page).fill("/help"); page.keyboard.press("Enter")
                expect(page.locator(".aside")).to_be_visible()
                composer(page).fill("/why"); page.keyboard.press("Enter")
                expect(page.locator(".aside")).to_have_count(2)
            page.screenshot(path=f"/tmp/hC/aside-{dark}-{phone}.png")
            composer(page).press_sequentially("/")
            page.wait_for_timeout(300)
            page.screenshot(path=f"/tmp/hC/list-{dark}-{phone}.png")
def test_link_shots(link, open_browser):
    page = open_browser(link); page.screenshot(path="/tmp/hC/link.png")
    page.get_by_role("button", name="Show it").click(); page.wait_for_timeout(300); page.screenshot(path="/tmp/hC/link2.png")
